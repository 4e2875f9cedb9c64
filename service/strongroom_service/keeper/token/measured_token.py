"""A token whose operations are counted and timed. Counts are of operations, never of keys, records or callers."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from strongroom_service.domain.errors import RecordRejected
from strongroom_service.telemetry.keeper_metrics import TokenCount, TokenOperation, TokenResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom_service.keeper.token.port import KeyPurpose, Profile, Token, Wrapped


class MeasuredToken:
    """Implements `Token` by another one."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._counts: defaultdict[tuple[TokenOperation, TokenResult], int] = defaultdict(int)
        self._seconds: defaultdict[tuple[TokenOperation, TokenResult], float] = defaultdict(float)

    def take_counts(self) -> tuple[TokenCount, ...]:
        """Return what was done since this was last asked: told once, several fronts can add it up."""
        counts = tuple(
            TokenCount(operation=operation, result=result, count=count, seconds=self._seconds[operation, result])
            for (operation, result), count in self._counts.items()
        )
        self._counts.clear()
        self._seconds.clear()
        return counts

    def derive(self, *, purpose: KeyPurpose, epoch: int, label: str, context: bytes) -> bytes:
        """See `Token.derive`."""
        with self._measured(TokenOperation.DERIVE):
            return self._token.derive(purpose=purpose, epoch=epoch, label=label, context=context)

    def profile(self, *, epoch: int) -> Profile:
        """See `Token.profile`."""
        return self._token.profile(epoch=epoch)  # known once asked: nothing to measure

    def wrap(self, *, epoch: int, plaintext: bytes, aad: bytes) -> Wrapped:
        """See `Token.wrap`."""
        with self._measured(TokenOperation.WRAP):
            return self._token.wrap(epoch=epoch, plaintext=plaintext, aad=aad)

    def unwrap(self, *, epoch: int, wrapped: Wrapped, aad: bytes) -> bytes:
        """See `Token.unwrap`."""
        with self._measured(TokenOperation.UNWRAP):
            return self._token.unwrap(epoch=epoch, wrapped=wrapped, aad=aad)

    def sign(self, *, epoch: int, digest: bytes) -> bytes:
        """See `Token.sign`."""
        with self._measured(TokenOperation.SIGN):
            return self._token.sign(epoch=epoch, digest=digest)

    def identity_public_key(self, *, epoch: int) -> bytes:
        """See `Token.identity_public_key`."""
        with self._measured(TokenOperation.CHECK):
            return self._token.identity_public_key(epoch=epoch)

    def check_value(self, *, purpose: KeyPurpose, epoch: int) -> bytes:
        """See `Token.check_value`."""
        with self._measured(TokenOperation.CHECK):
            return self._token.check_value(purpose=purpose, epoch=epoch)

    def probe(self) -> None:
        """See `Token.probe`."""
        with self._measured(TokenOperation.PROBE):
            self._token.probe()

    @contextmanager
    def _measured(self, operation: TokenOperation) -> Iterator[None]:
        started_at, result = time.perf_counter(), TokenResult.FAULT
        try:
            yield
            result = TokenResult.OK
        except RecordRejected:
            result = TokenResult.REJECTED
            raise
        finally:
            self._counts[operation, result] += 1
            self._seconds[operation, result] += time.perf_counter() - started_at
