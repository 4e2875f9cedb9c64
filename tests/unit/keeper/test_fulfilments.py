from __future__ import annotations

from pathlib import Path

import pytest

from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.fulfilments import FulfilmentLog, read_fulfilments
from tests.fakes.account import Account


def test_what_was_logged_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "fulfilled.log"
    account = Account()
    account.enroll()
    log = FulfilmentLog(path)
    for grant in account.held.grants:
        for _ in range(2):  # answered again: the same
            log.append(grant, record_id=bytes([7]) * 32, now=Millis(1))
    assert read_fulfilments(path) == {
        bytes([7]) * 32: {grant.version: frozenset({grant.chain_head}) for grant in account.held.grants}
    }
    assert account.held.grants


def test_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "fulfilled.log"
    path.write_text(f"1 release {'07' * 32} 3 {'01' * 32}\n1 release {'07' * 20}", encoding="ascii")
    assert read_fulfilments(path) == {bytes([7]) * 32: {3: frozenset({bytes([1]) * 32})}}


def test_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        read_fulfilments(tmp_path / "none")
