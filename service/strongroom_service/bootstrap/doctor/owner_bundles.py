"""What the vault's owners signed: once it is over, or lacks the key in use, clients that pin them refuse the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom_service.bootstrap.certificates import days_left
from strongroom_service.bootstrap.doctor.findings import fail, ok, skip, warn
from strongroom_service.bootstrap.operators import pinned_fingerprints
from strongroom_service.bootstrap.owner_bundles import load_owner_bundles
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

if TYPE_CHECKING:
    from strongroom.v1 import resources_pb2
    from strongroom_service.bootstrap.doctor.findings import Finding
    from strongroom_service.config.vault_file import VaultConfig

OWNERS_DAYS: Final = 9
"""Sooner than this before its end it is told of: owners sign every three weeks of its thirty days."""

_CHECK: Final = "owner_bundles"
_SIGN: Final = "have two owners sign what `strongroomd bundle show` writes, and put it into the folder"


def check_owner_bundles(config: VaultConfig, *, now: Millis) -> Finding:
    """Look at what the front hands out, as clients that pin the owners' keys do."""
    if config.owners is None:
        return skip(_CHECK, "no owners are configured")
    try:
        bundles = load_owner_bundles(config.owners)
        in_use = pinned_fingerprints(config, ())
    except Misconfigured as error:
        return fail(_CHECK, str(error), "take what is faulty away, or have two owners sign it after the one before")
    if not bundles:
        return warn(_CHECK, f"{config.owners.bundles_dir} is empty: clients that pin owners refuse the vault", _SIGN)
    told = f"the newest of {len(bundles)}, serial {bundles[-1].says.serial},"
    return _look(bundles[-1].says, told, in_use=in_use, now=now)


def _look(says: resources_pb2.KeyBundle, told: str, *, in_use: frozenset[bytes], now: Millis) -> Finding:
    left = days_left(Millis(says.not_after_time.ToMilliseconds()), now=now)
    if says.not_before_time.ToMilliseconds() > now:
        return fail(_CHECK, f"{told} does not hold yet", "look at the clock")
    if left < 0:
        return fail(_CHECK, f"{told} ended {-left} days ago", _SIGN)
    if not in_use <= {key.fingerprint for key in says.identity_keys}:
        return fail(_CHECK, f"{told} does not list the identity key in use", _SIGN)
    if left < OWNERS_DAYS:
        return warn(_CHECK, f"{told} ends in {left} days", _SIGN)
    return ok(_CHECK, f"{told} ends in {left} days")
