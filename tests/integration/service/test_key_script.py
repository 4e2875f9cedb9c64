"""A key ceremony on SoftHSM: what witnesses are shown, what is left, and that no copy with other keys is proven."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyrage  # type: ignore[import-untyped]  # it has no types
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.token import create_development_token
from deploy.development.vault_folder import token_tables, toml_text
from strongroom_service.bootstrap.key_script import STEPS
from strongroom_service.config.key_transcript import TRANSCRIPT_LABEL, Transcript, read_transcript
from strongroom_service.config.owner_keys import encode_public_key, sign_digest
from strongroom_service.config.signed_document import sign_document
from strongroom_service.config.token_proof import ProofKind, load_token_proof
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCRIPT = (sys.executable, "-m", "strongroom_service.cli.main", "keys", "script")
PATIENCE_SECONDS = 120
LABELS = {
    "strongroom-kek-1",
    "strongroom-seal-1",
    "strongroom-transport-1",
    "strongroom-identity-1",
    "strongroom-index",
}


def ceremony(
    vault: DevelopmentVault, *options: str, typed: str = "Ada\nGrace\n", witnesses: Sequence[str] = ("Ada", "Grace")
) -> subprocess.CompletedProcess[str]:
    named = [word for name in witnesses for word in ("--witness", name)]
    return subprocess.run(
        [*SCRIPT, "--config", str(vault.files.config_file), *named, *options],
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture
def vault() -> Iterator[DevelopmentVault]:
    # Not under the test's own name: a Unix socket's address is short.
    with TemporaryDirectory(prefix="ceremony-") as folder:
        yield DevelopmentVault(make_files(Path(folder) / "vault", VaultShape(keepers=1)))


def left_by(vault: DevelopmentVault) -> tuple[list[Path], list[Path]]:
    folder = vault.files.config_file.parent
    return sorted(folder.rglob("token-proof.json")), sorted(folder.rglob("key-transcript-*.json"))


def test_ceremony_makes_keys_and_proves_an_encrypted_copy(vault: DevelopmentVault, tmp_path: Path) -> None:
    copy, identity = tmp_path / "copy.age", pyrage.x25519.Identity.generate()
    done = ceremony(vault, "--copy-to", str(copy), "--recipient", str(identity.to_public()))
    assert done.returncode == 0, done.stderr
    assert all(f"{number}. {title}" in done.stdout for number, title in enumerate(STEPS, 1))
    [proof_file], [transcript_file] = left_by(vault)
    proof = load_token_proof(proof_file)
    assert set(proof.body.check_values) == LABELS
    assert proof.body.transcript == read_transcript(transcript_file).body["head"]
    assert proof.body.transcript in done.stdout
    with tarfile.open(fileobj=io.BytesIO(pyrage.decrypt(copy.read_bytes(), [identity]))) as tar:
        assert any(name.endswith("token.object") for name in tar.getnames())
    verify = [*SCRIPT, "--verify", str(transcript_file)]
    verified = subprocess.run(verify, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert verified.returncode == 0, verified.stderr
    assert "6 steps before Ada, Grace" in verified.stdout


def beside(vault: DevelopmentVault, place: Path, *, serial: bytes | None) -> Path:
    """Copy the token's folder, as a vendor's cloning would its keys, under another serial; return a file that names it.

    SoftHSM keeps the serial as text beside the token's label; keys do not depend on it.
    """
    tokens = place / "tokens"
    shutil.copytree(vault.files.folder / "token" / "tokens", tokens)
    [names] = tokens.rglob("token.object")
    first = names.parent.name.replace("-", "")[-16:].encode("ascii")
    content = names.read_bytes()
    assert content.count(first) == 1
    names.write_bytes(content.replace(first, serial or first))
    conf = place / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n", encoding="utf-8")
    second = vault.files.folder / "second.toml"
    text = vault.files.config_file.read_text(encoding="utf-8")
    changed = re.sub(r"^SOFTHSM2_CONF = .*$", f'SOFTHSM2_CONF = "{conf}"', text, flags=re.MULTILINE)
    assert changed != text
    second.write_text(changed, encoding="utf-8")
    return second


def test_second_token_with_the_keys_is_proven_and_takes_the_firsts_place(
    vault: DevelopmentVault, tmp_path: Path
) -> None:
    vault.init()
    second = beside(vault, tmp_path, serial=b"00c0ffee00c0ffee")
    done = ceremony(vault, "--second-config", str(second))
    assert done.returncode == 0, done.stderr
    [proof_file], [_] = left_by(vault)
    proof = load_token_proof(proof_file).body
    assert (proof.kind, set(proof.check_values)) == (ProofKind.SECOND_TOKEN, LABELS)
    assert (proof.second.serial, proof.copy_sha256) == ("00c0ffee00c0ffee", "")
    assert proof.first.serial != proof.second.serial
    shutil.rmtree(vault.files.folder / "token" / "tokens")
    found = {each["check"]: each["outcome"] for each in json.loads(run("doctor", second, "--output", "json").stdout)}
    assert [found[check] for check in ("token_login", "key_attributes", "check_values")] == ["ok"] * 3
    lost = {
        each["check"]: each["outcome"]
        for each in json.loads(run("doctor", vault.files.config_file, "--output", "json").stdout)
    }
    assert lost["module"] == "fail"  # control: the first is gone


def test_first_token_by_another_path_is_no_second(vault: DevelopmentVault, tmp_path: Path) -> None:
    vault.init()
    done = ceremony(vault, "--second-config", str(beside(vault, tmp_path, serial=None)))
    assert (done.returncode, left_by(vault)) == (1, ([], []))
    assert "it is the first, or a copy of its folder, which --copy-to proves" in done.stderr


def run(command: str, config_file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "strongroom_service.cli.main", command, "--config", str(config_file), *options]
    return subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def test_second_token_without_the_keys_is_not_proven(vault: DevelopmentVault, tmp_path: Path) -> None:
    vault.init()
    other = create_development_token(directory=tmp_path / "other", label="second")
    second = tmp_path / "second.toml"
    text = vault.files.config_file.read_text()
    head, _, rest = text.partition("[pkcs11]")
    tail = rest.partition("[pkcs11.environment]")[2].partition("\n[")
    second.write_text(head + toml_text(token_tables(other)) + (f"\n[{tail[2]}" if tail[1] else ""))
    done = ceremony(vault, "--second-config", str(second))
    assert done.returncode == 1, done.stdout
    assert "token second" in done.stderr
    assert left_by(vault) == ([], [])


def test_witness_who_does_not_confirm_leaves_no_proof(vault: DevelopmentVault, tmp_path: Path) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    done = ceremony(vault, "--copy-to", str(tmp_path / "copy"), "--recipient", recipient, typed="Ada\nAda\n")
    assert (done.returncode, left_by(vault)) == (1, ([], []))
    assert "Grace has not confirmed" in done.stderr
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("witnesses", [("Ada",), ("Ada", "Ada")])
def test_one_person_is_no_two_witnesses(vault: DevelopmentVault, tmp_path: Path, witnesses: Sequence[str]) -> None:
    done = ceremony(vault, "--copy-to", str(tmp_path / "copy"), "--recipient", "age1", witnesses=witnesses)
    assert done.returncode == 1
    assert "two different names" in done.stderr


def test_transcript_with_a_changed_or_missing_step_is_refused(tmp_path: Path) -> None:
    kept = Transcript(["Ada", "Grace"])
    for number in range(3):
        kept.add(f"step {number}", {"seen": number}, at=Millis(number))
    key = Ed25519PrivateKey.generate()

    def refused(body: dict[str, object]) -> None:
        path = tmp_path / "transcript.json"
        signer = encode_public_key(key.public_key())
        path.write_bytes(
            sign_document(TRANSCRIPT_LABEL, body, signer=signer, sign=lambda digest: sign_digest(key, digest))
        )
        with pytest.raises(Misconfigured, match=r"transcript\.json"):
            read_transcript(path)

    body = json.loads(json.dumps(kept.body))
    body["steps"][1]["facts"]["seen"] = 7
    refused(body)
    refused({**kept.body, "steps": kept.body["steps"][:2]})
    refused({**kept.body, "steps": [kept.body["steps"][0], *kept.body["steps"][2:]]})
    refused({**kept.body, "steps": []})
