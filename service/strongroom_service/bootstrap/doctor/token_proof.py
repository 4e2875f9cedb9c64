"""That a second token holds the same keys: losing the only one loses every envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.doctor.findings import fail, ok, skip, warn
from strongroom_service.bootstrap.operators import pinned_fingerprints
from strongroom_service.bootstrap.times import age_text
from strongroom_service.config.token_proof import TOKEN_PROOF_NAME, load_token_proof
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.formats.receipt import identity_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.token_proof import TokenProof
    from strongroom_service.config.vault_file import VaultConfig

_CHECK: Final = "second_token"
_REMEDY: Final = "prove a second token equal with `strongroomd keys script`"


def check_second_token(
    config: VaultConfig, config_path: Path, *, now: Millis, keys: Mapping[str, bytes] | None, development: bool
) -> Finding:
    """Look for a proof that is young enough and of the keys that the vault's row names.

    Args:
        config: whose `token_proof_max_age_days` is the policy.
        config_path: the proof is beside it, or in the data folder.
        now: the host's time.
        keys: check values by label; None where the vault's row could not be opened.
        development: a vault that no real user depends on goes without.
    """
    paths = [config.folder / TOKEN_PROOF_NAME, config_path.absolute().parent / TOKEN_PROOF_NAME]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        if development:
            return skip(_CHECK, "a vault for development needs none")
        return fail(_CHECK, f"no proof of a second token: neither {paths[0]} nor {paths[1]} is there", _REMEDY)
    try:
        proof = load_token_proof(found)
        _demand(proof, now=now, days=config.token_proof_max_age_days, keys=keys or {})
    except Misconfigured as error:
        return fail(_CHECK, f"{found}: {error}", _REMEDY)
    told = f"{found} is {age_text(Millis(proof.body.made_at), now=now)} old"
    if keys is None:
        return warn(_CHECK, f"{told}; it was not compared with the vault's keys", "mend the token first")
    if not _signed_by_the_vault(proof, config):
        return warn(_CHECK, f"{told} and signed by another key than the vault's identity", "ask the owners for theirs")
    return ok(_CHECK, f"{told} and of all {len(keys)} keys")


def _demand(proof: TokenProof, *, now: Millis, days: int, keys: Mapping[str, bytes]) -> None:
    """Raise unless the proof is young enough, and of these keys.

    Raises:
        Misconfigured: it is not.
    """
    age = proof.age_days(now=now)
    if not 0 <= age <= days:
        raise Misconfigured(f"it is {age:.0f} days old, and the policy is {days}")
    if missing := proof.missing(keys):
        raise Misconfigured(f"it says nothing, or something else, of {', '.join(missing)}")


def _signed_by_the_vault(proof: TokenProof, config: VaultConfig) -> bool:
    point = proof.identity_point
    try:
        return bool(point) and identity_fingerprint(point) in pinned_fingerprints(config, ())
    except Misconfigured:
        return False
