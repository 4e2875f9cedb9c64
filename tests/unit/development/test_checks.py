from __future__ import annotations

import pytest

from deploy.development.checks import CheckFailed, require, require_refusal


def _refuse() -> None:
    raise KeyError("refused")


def test_what_holds_passes() -> None:
    require(True, "it holds")  # noqa: FBT003  the claim under test
    assert require_refusal(KeyError, _refuse).args == ("refused",)


def test_what_does_not_hold_is_named() -> None:
    with pytest.raises(CheckFailed, match="does not hold: the sky is green"):
        require(False, "the sky is green")  # noqa: FBT003  the claim under test


def test_refusal_that_does_not_come_fails() -> None:
    with pytest.raises(CheckFailed, match="KeyError"):
        require_refusal(KeyError, list)


def test_failure_of_another_kind_is_no_refusal() -> None:
    with pytest.raises(KeyError):
        require_refusal(OSError, _refuse)
