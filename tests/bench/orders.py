"""What load generators are told, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.account import Exchange
from tests.bench.made import MadeAccounts
from tests.bench.openbao_client import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll:
    """Make accounts, one for each token, and enroll them at `address`; answered with one release's `Exchange`."""

    address: str
    authority_pem: bytes
    rp_id: str
    origin: str
    tokens: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Do what `clients` at once do until `ends_at`; answered with the `Tally` of what ended from `begins_at` on.

    Times are those of time.monotonic(), which all processes of one host share. With `echo` its two calls are made in
    place of a release. With `per_second` releases begin by chance, at that rate in the mean and whether earlier ones
    have ended or not, as those of many people do, and `clients` are connections.
    """

    address: str
    clients: int
    begins_at: float
    ends_at: float
    echo: Exchange | None = None
    per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Release for each of this generator's accounts from number `first` up to `last` once; answered with a `Tally`."""

    address: str
    clients: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Be the accounts that were made and not enrolled, by their numbers and tokens; answered with an empty `Tally`."""

    authority_pem: bytes
    made: MadeAccounts
    accounts: tuple[tuple[int, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Send a request again and again, `in_flight` at once over each of `connections`; what counts ends in `code`.

    With `fresh_signatures` each token has another one, drawn by chance: nobody can remember it as false.

    Nothing but the code of an answer is looked at, so that a refusal costs the generator about what an answer does.
    With `per_second` no more calls than that are made, else as many as are answered.
    """

    address: str
    method: str
    request: bytes = field(repr=False)
    token: str = field(repr=False)
    fresh_signatures: bool
    code: str
    connections: int
    in_flight: int
    begins_at: float
    ends_at: float
    per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """As `Run`, on OpenBao: the three steps that a release contains."""

    prepared: Prepared
    clients: int
    begins_at: float
    ends_at: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Seconds that each release (or echo pair) took, from before its first call until its reply was opened.

    Of a flood, those of each call.
    """

    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong, as a traceback."""

    why: str


Order = Enroll | Adopt | Run | Walk | Flood | Steps
Answer = Exchange | Tally | Failed
