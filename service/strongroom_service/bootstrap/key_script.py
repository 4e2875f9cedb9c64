"""`strongroomd keys script`: the making of a vault's keys before witnesses, down to the proof of a second token."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom_service.bootstrap.databases import reading_store
from strongroom_service.bootstrap.init import run_init
from strongroom_service.bootstrap.keeper import open_token
from strongroom_service.bootstrap.operators import as_front, as_keeper
from strongroom_service.bootstrap.system import SystemClock, keys_lock
from strongroom_service.bootstrap.token_copy import copy_token, new_copy, parse_recipient
from strongroom_service.bootstrap.token_reading import read_token
from strongroom_service.config.key_transcript import TRANSCRIPT_LABEL, Transcript
from strongroom_service.config.owner_keys import encode_public_key, owner_fingerprint, parse_public_key
from strongroom_service.config.signed_document import sign_document
from strongroom_service.config.token_proof import TOKEN_PROOF_LABEL, TOKEN_PROOF_NAME, ProofKind
from strongroom_service.config.vault_file import load_vault_config
from strongroom_service.domain.epochs import EpochState
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.receipt import identity_fingerprint
from strongroom_service.keeper.vault_keys import open_vault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from strongroom_service.application.rows import VaultRow
    from strongroom_service.bootstrap.token_reading import TokenReading
    from strongroom_service.config.vault_file import VaultConfig
    from strongroom_service.keeper.token.port import KeyName

STEPS: Final = (
    "Witnesses present; each keeps a printed copy of this script",
    "The token's library, by its SHA-256, as its maker published it",
    "The service is stopped, and the keys that are missing are made in the first token",
    "Check values of the first token, noted by each witness",
    "The second token, or the copy, opened and its check values compared",
    "The transcript signed, its hash noted by each witness; copy and token go to different places",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What is to hold the keys beside the first token: the file of a vault that names it, or where a copy goes."""

    config_path: Path | None
    copy_to: Path | None
    recipient: str | None


def run_key_script(
    config_path: Path,
    *,
    witnesses: Sequence[str],
    second: Second,
    say: Callable[[str], None],
    ask: Callable[[str], str],
) -> tuple[Path, Path]:
    """Play the ceremony; return where the transcript and the proof are. `ask` gives what a witness types.

    Raises:
        Misconfigured: a witness did not confirm, a key differs, or the configuration is not fit. No proof is left then.
    """
    _demand(witnesses, second)
    config = load_vault_config(config_path)
    clock = SystemClock()
    transcript = Transcript(witnesses)

    def step(facts: dict[str, Any]) -> None:
        title = STEPS[len(transcript.body["steps"])]
        number = transcript.add(title, facts, at=clock.now())
        say(f"{number}. {title}")
        for name, value in facts.items():
            say(f"     {name}: {value}")

    step({"witnesses": ", ".join(witnesses), "vault": config.audience})
    step({"library": str(config.pkcs11.module_file), "sha256": _sha256_of(config.pkcs11.module_file)})
    made = run_init(config_path)
    step({"made": ", ".join(made.made_keys) or "none, all were there", "identity": made.identity_fingerprint})
    row = asyncio.run(_load(config))
    with (
        new_copy(second.copy_to) as copy,
        as_keeper(config),
        keys_lock(config.run_dir, exclusive=True),
        contextlib.closing(open_token(config)) as token,
    ):
        keys = open_vault(token, version=row.version, sealed=row.sealed)
        expected = {key.name: key.check_value for key in keys.contents.keys if key.state is not EpochState.DESTROYED}
        first = read_token(config.pkcs11, expected, environment={})
        step({**_names("first", first), **first.check_values})
        for witness in witnesses:
            if ask(f"{witness}, have you noted them? Type your name").strip() != witness:
                raise Misconfigured(f"{witness} has not confirmed the check values: begin again")
        kind, other, copy_sha256 = _read_second(config, expected, second, copy)
        if dict(other.check_values) != dict(first.check_values):
            raise Misconfigured("the second token's check values are not the first's")
        if kind is ProofKind.SECOND_TOKEN and other.names == first.names:
            raise Misconfigured(
                "--second-config names a token with the first's label, serial, maker and model: it is the first, or a"
                " copy of its folder, which --copy-to proves"
            )
        step({**_names("second", other), "equal": len(other.check_values), "copy_sha256": copy_sha256 or "none"})
        step({"proof": TOKEN_PROOF_NAME})
        proof = {
            "schema": 1,
            "made_at": clock.now(),
            "kind": kind.value,
            "first": first.names.model_dump(),
            "second": other.names.model_dump(),
            "check_values": dict(other.check_values),
            "copy_sha256": copy_sha256,
            "transcript": transcript.head,
        }
        epoch = keys.identity_epoch
        point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), token.identity_public_key(epoch=epoch))
        signed = [
            sign_document(
                label,
                body,
                signer=encode_public_key(point),
                sign=lambda digest: token.sign(epoch=epoch, digest=digest),
            )
            for label, body in ((TRANSCRIPT_LABEL, transcript.body), (TOKEN_PROOF_LABEL, proof))
        ]
    say(f"   Transcript's hash: {transcript.head}")
    paths = (config.folder / f"key-transcript-{transcript.head[:16]}.json", config.folder / TOKEN_PROOF_NAME)
    with as_front(config):
        for path, content in zip(paths, signed, strict=True):
            path.write_bytes(content)
    return paths


def fingerprint_of(signer: bytes) -> str:
    """Return what is pinned of the key that signed a document: an identity key's fingerprint, or an owner's."""
    key = parse_public_key(signer)
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return f"{identity_fingerprint(point).hex()} (as an owner's key: {owner_fingerprint(key).hex()})"
    return owner_fingerprint(key).hex()


def _demand(witnesses: Sequence[str], second: Second) -> None:
    if len(set(witnesses)) < 2 or len(set(witnesses)) != len(witnesses) or not all(name.strip() for name in witnesses):  # noqa: PLR2004  two people
        raise Misconfigured("--witness: at least two different names")
    if (second.config_path is None) == (second.copy_to is None) or (second.copy_to is None) != (
        second.recipient is None
    ):
        raise Misconfigured("give either --second-config, or --copy-to and --recipient")
    if second.recipient is not None:
        parse_recipient(second.recipient)  # before anybody is asked to note check values


def _read_second(
    config: VaultConfig, expected: dict[KeyName, bytes], second: Second, copy: IO[bytes] | None
) -> tuple[ProofKind, TokenReading, str]:
    if second.config_path is not None:
        other = load_vault_config(second.config_path).pkcs11
        if other == config.pkcs11:
            raise Misconfigured("--second-config names the first token again")
        return ProofKind.SECOND_TOKEN, read_token(other, expected, environment={}), ""
    assert copy is not None  # noqa: S101  by _demand
    assert second.recipient is not None  # noqa: S101  by _demand
    reading, sha256 = copy_token(config.pkcs11, expected, target=copy, recipient=second.recipient)
    return ProofKind.ENCRYPTED_COPY, reading, sha256


def _names(which: str, reading: TokenReading) -> dict[str, str]:
    return {f"{which} {name}": value for name, value in reading.names.model_dump().items()}


def _sha256_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error


async def _load(config: VaultConfig) -> VaultRow:
    async with reading_store(config) as store:
        row = await store.load_vault()
    if row is None:
        raise Misconfigured("the vault has no row")
    return row
