"""How often a release goes to the token, and for what: counted between the keepers and the token."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from tests.campaign.stages import failing_token
from tests.fakes.hand_owner import HandOwner
from tests.fakes.passkey import HONEST

RELEASES: Final = 50
OPERATIONS: Final = {"C_Sign": "signs_and_derives", "C_Decrypt": "decrypts", "C_Encrypt": "encrypts"}


def count_token_operations(folder: Path) -> dict[str, object]:
    """Return how many operations a release takes by name, in a vault in `folder`, which is new."""
    with failing_token(folder) as vault, HandOwner(vault) as owner:
        owner.enroll()
        vault.module.forget_calls()
        for _ in range(RELEASES):
            owner.call("ReleaseEnvelope", owner.release_request(owner.begin_release(), HONEST))
        called = Counter(vault.module.calls())
    return {
        **{f"token_{name}_per_release": called[function] / RELEASES for function, name in OPERATIONS.items()},
        "token_calls_per_release": sum(called[function] for function in OPERATIONS) / RELEASES,
    }
