"""What the front hands out: the owners' chain as a whole, or what it handed out before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry

from strongroom_service.bootstrap.doctor.findings import Finding, Outcome
from strongroom_service.bootstrap.doctor.owner_bundles import check_owner_bundles
from strongroom_service.bootstrap.owner_bundles import OwnerBundles, load_owner_bundles, require_listed
from strongroom_service.config.vault_file import Owners, load_vault_config
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.telemetry.owner_metrics import OwnerMetrics
from tests.fakes.log import RecordingLog
from tests.fakes.owner_signers import ADA, EVE, GRACE, OwnerKey, owners_sign
from tests.fakes.vault_keys import FakeVaultKeys
from tests.unit.cli.test_strongroomd import CONFIG

NOW = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000
VAULT, OTHER = FakeVaultKeys(), FakeVaultKeys()
ONE, TWO, THREE = (VAULT.bundle(serial=serial, now=NOW).bundle for serial in (3, 9, 12))


def signed(bundle: bytes, *by: OwnerKey, previous: bytes = b"") -> bytes:
    return owners_sign(bundle, *(by or (ADA, GRACE)), previous=previous).SerializeToString()


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    """With a chain of two in the folder, and a name that is passed over."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name, key in (("ada", ADA), ("grace", GRACE)):
        (tmp_path / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    (folder / "z").write_bytes(signed(ONE))
    (folder / "a").write_bytes(signed(TWO, previous=ONE))
    (folder / ".new").write_bytes(b"half of")
    table = '[owners]\nbundles_dir = "bundles"\nkey_files = ["ada.pub", "grace.pub"]\n'
    (tmp_path / "strongroom.toml").write_text(CONFIG + table, encoding="utf-8")
    configured = load_vault_config(tmp_path / "strongroom.toml").owners
    assert configured is not None
    return configured


def test_folder_is_read_oldest_first_whatever_the_names(owners: Owners) -> None:
    assert [each.says.serial for each in load_owner_bundles(owners)] == [3, 9]


def too_many(folder: Path) -> None:
    before = TWO
    for serial in range(10, 73):
        bundle = VAULT.bundle(serial=serial, now=NOW).bundle
        (folder / str(serial)).write_bytes(signed(bundle, previous=before))
        before = bundle


def without_a_link(folder: Path) -> None:
    (folder / "c").write_bytes(signed(THREE, previous=ONE))


def by_one_owner(folder: Path) -> None:
    (folder / "c").write_bytes(signed(THREE, ADA, EVE, previous=TWO))


def by_one_owner_alone(folder: Path) -> None:
    (folder / "a").unlink()
    (folder / "z").write_bytes(signed(ONE, ADA))


def no_bundle(folder: Path) -> None:
    (folder / "c").write_bytes(b"PEM")


def twice(folder: Path) -> None:
    (folder / "c").write_bytes((folder / "a").read_bytes())


def gone(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


FAULTS = [
    (too_many, "more than 64"),
    (without_a_link, "bundle 12: the signature of owner .* is not over this bundle"),
    (by_one_owner, "bundle 12: 1 of the owners"),
    (by_one_owner_alone, "bundle 3: 1 of the owners"),
    (no_bundle, "c: not a key bundle"),
    (twice, "serial 9 is not above 9"),
    (gone, "cannot be read"),
]


@pytest.mark.parametrize(("spoil", "why"), FAULTS)
def test_fault_is_told_once_and_what_was_handed_out_stays(
    owners: Owners, spoil: Callable[[Path], None], why: str
) -> None:
    registry, log = CollectorRegistry(), RecordingLog()
    front = OwnerBundles(owners, failures=OwnerMetrics(registry).failures, log=log)
    before = list(front.handed_out())
    spoil(owners.bundles_dir)
    for _ in range(3):
        front.look()
    assert (list(front.handed_out()), len(before)) == (before, 2)
    assert log.events() == ["owner_bundles_taken", "owner_bundles_not_taken"]
    assert log.lines[1][1]["in_use"] == 2
    with pytest.raises(Misconfigured, match=why) as raised:
        load_owner_bundles(owners)
    assert log.lines[1][1]["why"] == str(raised.value)
    assert registry.get_sample_value("strongroom_owner_bundle_failures_total") == 1


def test_new_file_is_taken_at_the_next_look_and_a_start_with_a_fault_hands_out_nothing(owners: Owners) -> None:
    log = RecordingLog()
    no_bundle(owners.bundles_dir)
    front = OwnerBundles(owners, failures=OwnerMetrics(CollectorRegistry()).failures, log=log)
    assert (list(front.handed_out()), front.ends_at()) == ([], 0)
    (owners.bundles_dir / "c").write_bytes(signed(THREE, previous=TWO))
    front.look()
    assert [each.bundle for each in front.handed_out()] == [ONE, TWO, THREE]
    assert front.ends_at() == (NOW + 29 * DAY_MS) / 1_000


def test_without_owners_nothing_is_handed_out() -> None:
    front = OwnerBundles(None, failures=OwnerMetrics(CollectorRegistry()).failures, log=RecordingLog())
    front.look()
    assert list(front.handed_out()) == []


def test_oldest_may_be_what_other_owners_signed(owners: Owners) -> None:
    (owners.bundles_dir / "z").write_bytes(signed(ONE, EVE))
    assert len(load_owner_bundles(owners)) == 2


def test_identity_key_that_the_owners_did_not_sign_for_is_not_put_to_use(owners: Owners) -> None:
    require_listed(owners, VAULT.fingerprint, label="strongroom-identity-1")
    require_listed(None, OTHER.fingerprint, label="strongroom-identity-2")
    with pytest.raises(Misconfigured, match="not signed for strongroom-identity-2: serial 9 does not list it"):
        require_listed(owners, OTHER.fingerprint, label="strongroom-identity-2")
    for path in owners.bundles_dir.iterdir():
        path.unlink()
    require_listed(owners, OTHER.fingerprint, label="strongroom-identity-2")


def found(owners: Owners | None, folder: Path, *, days: int = 1, in_use: FakeVaultKeys = VAULT) -> Finding:
    (folder / "identity.fingerprint").write_text(in_use.fingerprint.hex() + "\n", encoding="ascii")
    config = load_vault_config(folder / "strongroom.toml").model_copy(update={"owners": owners})
    return check_owner_bundles(config, now=Millis(NOW + days * DAY_MS))


@pytest.mark.parametrize(
    ("days", "outcome"),
    [(-1, Outcome.FAIL), (1, Outcome.OK), (20, Outcome.OK), (21, Outcome.WARN), (29, Outcome.WARN), (30, Outcome.FAIL)],
)
def test_doctor_warns_before_the_newest_ends(owners: Owners, tmp_path: Path, days: int, outcome: Outcome) -> None:
    assert found(owners, tmp_path, days=days).outcome is outcome


def test_doctor_fails_where_the_identity_key_in_use_is_not_listed_or_the_folder_is_faulty(
    owners: Owners, tmp_path: Path
) -> None:
    finding = found(owners, tmp_path, in_use=OTHER)
    assert (finding.outcome, "does not list" in finding.found) == (Outcome.FAIL, True)
    no_bundle(owners.bundles_dir)
    finding = found(owners, tmp_path)
    assert (finding.outcome, "not a key bundle" in finding.found) == (Outcome.FAIL, True)
    assert found(None, tmp_path).outcome is Outcome.SKIP
