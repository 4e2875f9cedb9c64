"""What a front takes on when it cannot take on everything: whose call is shed first.

Each call that is under way holds one of a fixed number of slots. That bounds the queue before the keepers, and with it
the time that a call waits in it.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final

from strongroom_service.domain.rates import RpcClass

# In quarters of all slots that may be in use when a call of the class comes. The last quarter is for completions: a
# passkey was touched for them, and a ceremony lives for minutes only. Reads go first: whoever asks can ask again.
_QUARTERS: Final = {RpcClass.READ: 2, RpcClass.BEGIN: 3, RpcClass.COMPLETE: 4}
_ALL_QUARTERS: Final = 4
_MOST_OF_THE_FREE: Final = 3


@unique
class ShedBecause(Enum):
    """Why a call was shed."""

    CLASS = "class"
    PEER = "peer"
    TENANT = "tenant"


def has_room(rpc_class: RpcClass, *, in_use: int, slots: int) -> bool:
    """Return whether a call of that class may take a slot while `in_use` of `slots` are in use."""
    return in_use * _ALL_QUARTERS < slots * _QUARTERS[rpc_class]


def is_fair(held: int, *, in_use: int, slots: int) -> bool:
    """Return whether who holds `held` of the slots in use may take one more.

    Nobody may hold more than three times what is free. So one alone gets three quarters, two get three sevenths each,
    and some are always free for who has none yet; while there is little to do it hinders nobody, and there is nothing
    to configure. (Dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998.)
    """
    return held < _MOST_OF_THE_FREE * (slots - in_use)
