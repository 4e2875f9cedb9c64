"""The names that the model of a record uses, and what the rules know by them."""

from __future__ import annotations

from dataclasses import replace

from strongroom_service.domain.ceremonies import (
    AddCredential,
    LiftQuarantine,
    Mode,
    Operation,
    Parameters,
    RemoveCredential,
    SetPolicy,
    SetRecovery,
)
from strongroom_service.domain.policy import OnExhaustion, Policy
from tests.fakes.account import (
    DELETE,
    OTHER_PASSKEY,
    OTHER_RECOVERY,
    PASSKEY,
    RECOVERY,
    REGISTER,
    RELEASE,
    REOPEN_CLOSED,
    REOPEN_SET_ASIDE,
    STORE,
)
from tests.fakes.life_model import DAY_MS, Asked, Limits

LIMITS = {
    "destroys": Limits(locks=False, budget=6, ladder_s=(60, 300), quota=3, grace_ms=2 * DAY_MS),
    "locks": Limits(locks=True, budget=5, ladder_s=(60,), quota=2, grace_ms=10 * DAY_MS),
}
PASSKEYS = ["P", "Q", "S"]
CREDENTIALS = {"P": PASSKEY, "Q": OTHER_PASSKEY, "S": b"a third passkey.", "R": RECOVERY, "T": OTHER_RECOVERY}
ORDERS = {
    "reset": Operation.RESET,
    "erase": Operation.ERASE_ACCOUNT,
    "cancel": Operation.CANCEL_ERASE_ACCOUNT,
}
NONCES = [1, 2]
_FIXED: dict[str, Parameters] = {
    "register": REGISTER,
    "store": STORE,
    "store_held": replace(STORE, mode=Mode.VAULT_HELD),
    "release": RELEASE,
    "delete": DELETE,
    "reopen_closed": REOPEN_CLOSED,
    "reopen_aside": REOPEN_SET_ASIDE,
}


def policy_of(limits: Limits) -> Policy:
    return Policy(
        budget=limits.budget,
        cool_down_seconds=limits.ladder_s,
        on_exhaustion=OnExhaustion.LOCK if limits.locks else OnExhaustion.DESTROY,
        releases_per_day=limits.quota,
        reset_grace_seconds=limits.grace_ms // 1_000,
    )


def nonce_of(number: int) -> bytes:
    return bytes([number]) * 32


def parameters_of(asked: Asked) -> Parameters:
    """What the rules are asked."""
    match asked.operation:
        case "add":
            return AddCredential(
                credential_id=CREDENTIALS[asked.of], cose_key_sha256=bytes(32), envelope_sha256=bytes(32)
            )
        case "remove":
            return RemoveCredential(credential_id=CREDENTIALS[asked.of], envelope_sha256=bytes(32))
        case "set_recovery":
            return SetRecovery(recovery_public_key=CREDENTIALS[asked.of], envelope_sha256=bytes(32))
        case "lift":
            return LiftQuarantine(credential_id=CREDENTIALS[asked.of])
        case "set_policy":
            assert asked.limits is not None
            return SetPolicy(policy=policy_of(asked.limits))
        case _:
            return _FIXED[asked.operation]
