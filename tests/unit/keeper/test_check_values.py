from __future__ import annotations

import os

import pytest

from strongroom_service.domain.errors import TokenFault
from strongroom_service.keeper.token.check_values import CHECK_IV, fresh_iv


def test_iv_is_fresh_if_either_source_is() -> None:
    drawn = os.urandom(12)
    assert fresh_iv(of_token=drawn, of_host=bytes(12)) == drawn
    assert fresh_iv(of_token=bytes(12), of_host=drawn) == drawn


def test_the_iv_of_key_checks_is_never_given_out() -> None:
    drawn = os.urandom(12)
    with pytest.raises(TokenFault, match="all-zero"):
        fresh_iv(of_token=drawn, of_host=drawn)
    assert bytes(12) == CHECK_IV


@pytest.mark.parametrize(("of_token", "of_host"), [(b"", bytes(12)), (bytes(11), bytes(12)), (bytes(12), bytes(13))])
def test_short_draw_is_refused(of_token: bytes, of_host: bytes) -> None:
    with pytest.raises(TokenFault, match="wrong number"):
        fresh_iv(of_token=of_token, of_host=of_host)
