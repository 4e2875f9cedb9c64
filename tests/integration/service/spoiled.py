"""Ways to break one thing of a vault, for `doctor` to name; the vault itself stays as it is, or is mended again."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme

from deploy.development.environment import DevelopmentVault
from deploy.development.vault_folder import free_ports, toml_lines
from tests.fakes.owners import Owners

SPOIL_KEY: Final = Path(__file__).with_name("spoil_key.py")


@dataclass(frozen=True, kw_only=True)
class Spoil:
    """The check that must find it, how, and how to break it: yields the configuration to look at.

    Attributes:
        arguments: further ones of `doctor`.
    """

    check: str
    outcome: str = "fail"
    by: Callable[[DevelopmentVault, Path], Iterator[Path]]
    arguments: tuple[str, ...] = ()
    name: str = ""

    @property
    def id(self) -> str:
        return f"{self.check} {self.name}".strip()

    @contextmanager
    def spoilt(self, vault: DevelopmentVault, place: Path) -> Iterator[Path]:
        yield from self.by(vault, place)


def edited(vault: DevelopmentVault, *changes: tuple[str, str], mode: int = 0o644) -> Path:
    """Write the vault's configuration with lines changed, beside it; each pattern is found once."""
    text = vault.files.config_file.read_text(encoding="utf-8")
    for pattern, line in changes:
        text, count = re.subn(pattern, lambda _, line=line: line, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        assert count == 1, pattern
    path = vault.files.folder / "spoilt.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def setting(key: str, value: object) -> Callable[[DevelopmentVault, Path], Iterator[Path]]:
    """Give a key that is in the file another value."""

    def spoil(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
        del place
        yield edited(vault, (rf"^{key} = .*$", f"{key} = {json.dumps(value)}"))

    return spoil


def mode_of(name: str, mode: int) -> Callable[[DevelopmentVault, Path], Iterator[Path]]:
    """Give a file or folder of the vault another mode, for as long as it is looked at."""

    def spoil(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
        del place
        path = vault.files.folder / name
        before = path.stat().st_mode & 0o7777
        path.chmod(mode)
        yield vault.files.config_file
        path.chmod(before)

    return spoil


def certificate(
    *, not_before: datetime | None = None, not_after: datetime | None = None
) -> Callable[[DevelopmentVault, Path], Iterator[Path]]:
    """Serve with another certificate."""

    def spoil(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
        made = trustme.CA().issue_cert("localhost", "127.0.0.1", not_before=not_before, not_after=not_after)
        for path, blob in ((place / "cert.pem", made.cert_chain_pems[0]), (place / "key.pem", made.private_key_pem)):
            path.write_bytes(blob.bytes())
            path.chmod(0o600)
        yield edited(
            vault,
            (r"^tls_certificate_file = .*$", f'tls_certificate_file = "{place}/cert.pem"'),
            (r"^tls_key_file = .*$", f'tls_key_file = "{place}/key.pem"'),
        )

    return spoil


def key_of_another(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    for config in certificate()(vault, place):
        (place / "key.pem").write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())
        yield config


def chain_out_of_order(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    for config in certificate()(vault, place):
        with (place / "cert.pem").open("ab") as file:
            file.write(trustme.CA(organization_name="of another").cert_pem.bytes())
        yield config


def faulty_tenant(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    shutil.copytree(vault.files.folder / "tenants", place / "tenants")
    with (place / "tenants" / "notes.toml").open("a", encoding="utf-8") as file:
        file.write("budget = 0\n")
    yield edited(vault, (r"^tenants_dir = .*$", f'tenants_dir = "{place}/tenants"'))


def writable_by_all(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    del place
    yield edited(vault, mode=0o666)


def without_single_user(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    del place
    yield edited(vault, (r"^single_user = true$", ""))


def for_real_users(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    """Whatever else is amiss then: a vault that somebody depends on has a second token."""
    shutil.copytree(vault.files.folder / "tenants", place / "tenants")
    tenant = place / "tenants" / "notes.toml"
    text = tenant.read_text(encoding="utf-8").replace("development = true", "development = false")
    tenant.write_text(
        text.replace('"localhost"', '"notes.example"').replace("http://localhost", "https://notes.example"),
        encoding="utf-8",
    )
    yield edited(vault, (r"^tenants_dir = .*$", f'tenants_dir = "{place}/tenants"'), (r"^single_user = true$", ""))


def newer_schema(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    place.chmod(0o700)
    with (
        closing(sqlite3.connect(vault.files.folder / "data" / "vault.db")) as original,
        closing(sqlite3.connect(place / "vault.db", isolation_level=None)) as copy,
    ):
        original.backup(copy)
        copy.execute("INSERT INTO schema_version (version) VALUES (99)")
    yield edited(vault, (r"^database = .*$", f'database = "sqlite:///{place}/vault.db"'))


def token_folder(vault: DevelopmentVault, place: Path, *lines: str) -> Path:
    """Copy the token, and return a configuration that goes by the copy."""
    shutil.copytree(vault.files.folder / "token" / "tokens", place / "tokens")
    conf = place / "softhsm2.conf"
    text = "\n".join((f"directories.tokendir = {place}/tokens", "objectstore.backend = file", *lines))
    conf.write_text(text + "\n", encoding="utf-8")
    return edited(vault, (r"^SOFTHSM2_CONF = .*$", f'SOFTHSM2_CONF = "{conf}"'))


def lost_token(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    config = token_folder(vault, place)
    shutil.rmtree(place / "tokens")
    yield config


def without_ecdsa(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    # SoftHSM drops all that come after the first.
    yield token_folder(vault, place, "slots.mechanisms = -CKM_MD5,CKM_ECDSA")


def without_gcm(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    config = token_folder(vault, place, "slots.mechanisms = -CKM_MD5,CKM_AES_GCM")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[pkcs11]\n", '[pkcs11]\nprofile = "gcm"\n', 1), encoding="utf-8")
    yield config


def spoilt_key(how: str) -> Callable[[DevelopmentVault, Path], Iterator[Path]]:
    def spoil(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
        config = token_folder(vault, place)
        subprocess.run([sys.executable, "-P", str(SPOIL_KEY), str(config), how], check=True)
        yield config

    return spoil


def wrong_pin(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    (place / "pin").write_text("000000", encoding="ascii")
    (place / "pin").chmod(0o400)
    yield edited(vault, (r"^pin_file = .*$", f'pin_file = "{place}/pin"'))


def altered_checkpoint(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    (place / "checkpoints").mkdir(mode=0o700)
    [made] = (vault.files.folder / "data" / "checkpoints").glob("checkpoint-*.txt")
    text = made.read_text(encoding="ascii")
    (place / "checkpoints" / made.name).write_text(text.replace('"serial": 1', '"serial": 2'), encoding="ascii")
    yield edited(vault, (r"^\[checkpoints\]$", f'[checkpoints]\nfolder = "{place}/checkpoints"'))


def metrics_of_nobody(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    del place
    yield edited(vault, (r"^\[metrics\]\nport = .*$", "[metrics]\nport = 1"))


def checkpoints_often(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    del place
    yield edited(vault, (r"^\[checkpoints\]$", "[checkpoints]\nevery_hours = 0.000001"))


def owners_who_signed_nothing(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    owners = Owners(place)
    config = edited(vault)
    with config.open("a", encoding="utf-8") as file:
        file.write("\n[owners]\n" + toml_lines(owners.settings))
    yield config


def nobody_answers_browsers(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    del place
    [port] = free_ports(1)
    yield edited(vault, (r"^\[browser\]\nhost = .*\nport = .*$", f'[browser]\nhost = "127.0.0.1"\nport = {port}'))


def browsers_own_certificate_ends(vault: DevelopmentVault, place: Path) -> Iterator[Path]:
    made = trustme.CA().issue_cert("127.0.0.1", not_after=_days(3))
    (place / "own.pem").write_bytes(made.cert_chain_pems[0].bytes())
    (place / "own-key.pem").write_bytes(made.private_key_pem.bytes())
    pair = f'tls_certificate_file = "{place}/own.pem"\ntls_key_file = "{place}/own-key.pem"'
    yield edited(vault, (r"^plaintext = true$", pair))


def _days(count: int) -> datetime:
    return datetime.now(tz=UTC) + timedelta(days=count)


SPOILS: Final = (
    Spoil(check="config", by=setting("audience", 1)),
    Spoil(check="tenants", by=faulty_tenant),
    Spoil(check="development", outcome="warn", by=setting("audience", "https://vault.localhost")),
    Spoil(check="config_mode", by=writable_by_all),
    Spoil(check="tenants_mode", by=mode_of("tenants", 0o777)),
    Spoil(check="run_dir_mode", by=mode_of("run", 0o755)),
    Spoil(check="data_dir_mode", by=mode_of("data", 0o755)),
    Spoil(check="checkpoints_mode", by=mode_of("data/checkpoints", 0o755)),
    Spoil(check="log_mode", by=mode_of("keeper/fulfilled.log", 0o640)),
    Spoil(check="tls_key_mode", by=mode_of("server-key.pem", 0o644)),
    Spoil(check="token_folder_mode", by=mode_of("token/tokens", 0o755)),
    Spoil(check="token_folder_mode", by=lost_token, name="lost"),
    Spoil(check="module", by=lost_token, name="whose token is lost"),
    Spoil(check="pin_file", by=mode_of("token/development.pin", 0o644)),
    Spoil(check="users", by=without_single_user),
    Spoil(check="certificate", by=key_of_another),
    Spoil(check="certificate_chain", by=chain_out_of_order),
    Spoil(check="certificate_expiry", by=certificate(not_before=_days(-9), not_after=_days(-3)), name="ended"),
    Spoil(check="certificate_expiry", outcome="warn", by=certificate(not_after=_days(3)), name="ends soon"),
    Spoil(check="certificate_names", by=certificate(), arguments=("--host", "vault.example")),
    Spoil(check="database", by=setting("database", "sqlite:///data/none.db")),
    Spoil(check="schema", by=newer_schema),
    Spoil(check="module", by=setting("module_file", "/nowhere/module.so")),
    Spoil(check="mechanisms", by=without_ecdsa),
    Spoil(check="profile", by=without_gcm),
    Spoil(check="token_login", by=wrong_pin),
    Spoil(check="key_attributes", by=spoilt_key("extractable")),
    Spoil(check="check_values", by=spoilt_key("another"), name="of another key"),
    Spoil(check="check_values", by=spoilt_key("missing"), name="of no key"),
    Spoil(check="second_token", by=for_real_users),
    Spoil(check="owner_bundles", outcome="warn", by=owners_who_signed_nothing),
    Spoil(check="keepers", by=setting("run_dir", "nowhere")),
    Spoil(check="metrics", by=metrics_of_nobody),
    Spoil(check="browser", by=nobody_answers_browsers),
    Spoil(check="browser_certificate", outcome="warn", by=browsers_own_certificate_ends),
    Spoil(check="checkpoint_age", by=checkpoints_often),
    Spoil(check="checkpoint_head", by=altered_checkpoint),
)
