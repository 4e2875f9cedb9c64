from __future__ import annotations

import pytest

from tests.mutants.run import SURVIVORS, Change, Unfit, change_of, explained, findings

DIFF = """\
--- src/strongroom_service/domain/attempts.py
+++ src/strongroom_service/domain/attempts.py
@@ -1,3 +1,3 @@
 def charge_failure(ledger):
-    failures = ledger.failures + 1
+    failures = ledger.failures - 1
     return failures
"""
CHANGE = Change("attempts.charge_failure", "failures = ledger.failures + 1", "failures = ledger.failures - 1")
OTHER = Change("attempts.charge_failure", "failures = ledger.failures + 1", "failures = ledger.failures + 2")
ENTRY = """
[[survivor]]
function = "attempts.charge_failure"
was = "failures = ledger.failures + 1"
now = "failures = ledger.failures - 1"
why = "a reason"
"""


def test_change_is_known_by_its_function_and_lines_and_not_by_its_number() -> None:
    for number in (1, 23):
        name = f"strongroom_service.domain.attempts.x_charge_failure__mutmut_{number}"
        assert change_of(name, DIFF) == CHANGE


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("strongroom_service.domain.lives.x__x_axis__mutmut_1", "lives._x_axis"),
        ("strongroom_service.domain.chains.xǁChainWalkǁ_find__mutmut_1", "chains.ChainWalk._find"),
    ],
)
def test_function_has_its_own_name_again(name: str, function: str) -> None:
    assert change_of(name, DIFF).function == function


def test_survivors_and_explanations_must_be_the_same() -> None:
    assert list(findings({CHANGE: "survived"}, [CHANGE])) == []
    (unexplained,) = findings({CHANGE: "survived", OTHER: "survived"}, [CHANGE])
    assert unexplained.startswith("survived\n")
    assert OTHER.now in unexplained
    (needless,) = findings({}, [CHANGE])
    assert needless.startswith("explained, but noticed or gone\n")


def test_explanation_is_read_with_its_reason() -> None:
    assert explained(ENTRY) == {CHANGE: "a reason"}
    assert explained("") == {}


@pytest.mark.parametrize("text", [ENTRY + ENTRY, ENTRY.replace("a reason", " ")], ids=["twice", "without a reason"])
def test_explanation_that_explains_nothing_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="twice, or without a reason"):
        explained(text)


def test_explanations_of_this_tree_can_be_read() -> None:
    explained(SURVIVORS.read_text(encoding="utf-8"))
