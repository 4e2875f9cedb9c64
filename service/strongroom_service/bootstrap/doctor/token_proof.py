"""The proof that a second token holds the same keys: losing the only one loses every envelope.

A file `token-proof.json` beside strongroom.toml or in the data folder, written by who has compared the two tokens:

    {"format": "strongroom/v1/token-proof", "proven_at": "2026-11-26T12:00:00Z",
     "token_label": "second", "check_values": {"strongroom-kek-1": "<32 hex digits>", ...}}

`check_values` are those that the second token gave, key by key; every key that the vault's row names must be there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.doctor.findings import fail, ok, skip, warn
from strongroom_service.bootstrap.times import age_text
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import VaultConfig

FORMAT: Final = "strongroom/v1/token-proof"
PROOF_NAME: Final = "token-proof.json"

_CHECK: Final = "second_token"
_MAX_BYTES: Final = 1_048_576
_DAY_MS: Final = 86_400_000
_REMEDY: Final = 'prove a second token equal, as docs/operations.md says ("A second token")'


@dataclass(frozen=True, slots=True)
class TokenProof:
    """A proof as it was written: when, and the check value of each key by its label."""

    proven_at: Millis
    check_values: Mapping[str, bytes]


def read_token_proof(path: Path) -> TokenProof:
    """Read a proof.

    Raises:
        Misconfigured: it cannot be read, or is no proof; names the member.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content[:_MAX_BYTES])
        if document["format"] != FORMAT:
            raise Misconfigured(f"format must be {FORMAT}")
        proven_at = datetime.fromisoformat(document["proven_at"])
        if proven_at.tzinfo is None:
            raise Misconfigured("proven_at must name its time zone")
        values = {str(label): bytes.fromhex(value) for label, value in document["check_values"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Misconfigured(f"is no proof: {type(error).__name__}") from error
    return TokenProof(proven_at=Millis(round(proven_at.timestamp() * 1_000)), check_values=values)


def check_second_token(
    config: VaultConfig, config_path: Path, *, now: Millis, keys: Mapping[str, bytes] | None, development: bool
) -> Finding:
    """Look for a proof that is young enough and of the keys that the vault's row names.

    Args:
        config: whose `pkcs11.second_token_proof_days` is the policy.
        config_path: beside which the proof may be.
        now: the host's time.
        keys: check values by label; None where the vault's row could not be opened.
        development: a vault that no real user depends on goes without.
    """
    paths = [config_path.absolute().parent / PROOF_NAME, config.folder / PROOF_NAME]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        if development:
            return skip(_CHECK, "a vault for development needs none")
        return fail(_CHECK, f"no proof of a second token: neither {paths[0]} nor {paths[1]} is there", _REMEDY)
    try:
        proof = read_token_proof(found)
        _demand(proof, now=now, days=config.pkcs11.second_token_proof_days, keys=keys or {})
    except Misconfigured as error:
        return fail(_CHECK, f"{found}: {error}", _REMEDY)
    age = age_text(proof.proven_at, now=now)
    if keys is None:
        return warn(_CHECK, f"{found} is {age} old; it was not compared with the vault's keys", "mend the token first")
    return ok(_CHECK, f"{found} is {age} old and of all {len(keys)} keys")


def _demand(proof: TokenProof, *, now: Millis, days: int, keys: Mapping[str, bytes]) -> None:
    """Raise unless the proof is young enough, and of these keys.

    Raises:
        Misconfigured: it is not.
    """
    if proof.proven_at > now:
        raise Misconfigured("it is of a time to come")
    if now - proof.proven_at > days * _DAY_MS:
        raise Misconfigured(f"it is {age_text(proof.proven_at, now=now)} old, and the policy is {days} days")
    for label, value in sorted(keys.items()):
        if proof.check_values.get(label) != value:
            raise Misconfigured(f"it says nothing, or something else, of {label}")
