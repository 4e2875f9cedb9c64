"""What an open client holds beside connection and authenticator: settings, memory, the vault's description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from strongroom_client.clock import Clock
from strongroom_client.descriptions import Service
from strongroom_client.errors import UnpinnedVault
from strongroom_client.memory import AccountMemory, AccountRef
from strongroom_client.notices import Notice
from strongroom_client.verification.bundles import Trust
from strongroom_client.verification.positions import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Which vault, whose account, and what is believed.

    Attributes:
        owner: vault (this device's name for it), tenant and account.
        trust: which identity keys count.
        rp_id: RP ID that the vault must have; None takes what its signed description says.
        origin: origin to tell the authenticator, one of the vault's; None takes the first.
    """

    owner: AccountRef
    trust: Trust
    rp_id: str | None = None
    origin: str | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """Changes as flows learn. `random` draws bytes from the operating system; `told` are notices given already.

    `opened_at` is the position at which this session knows what the newest envelope holds; None before it does. What
    replaces the envelope is stored at exactly that position: two devices cannot undo each other's changes.

    Raises:
        UnpinnedVault: this device has pinned the vault before, and is now told to use it unpinned.
    """

    settings: VaultSettings
    memory: AccountMemory
    clock: Clock
    random: Callable[[int], bytes] = field(repr=False)
    service: Service | None = None
    told: list[Notice] = field(default_factory=list)
    opened_at: Position | None = None

    def __post_init__(self) -> None:
        if self.settings.trust.unpinned and self.memory.pins:
            raise UnpinnedVault("this device has pinned this vault before; it is not used unpinned again")
