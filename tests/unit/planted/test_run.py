"""The judge of planted defects must itself be able to say no."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from tests.planted.run import ROOT, Finding, judge_all, require_passing

SOURCE = "service/strongroom_service/domain/fields.py"
KNOWN_BYTES = "tests/unit/domain/test_fields.py::test_known_bytes"
LINE = "            parts += (_LENGTH.pack(len(field)), field)"

pytestmark = pytest.mark.verify


def judge_one(tmp_path: Path, *, new: str, old: str = LINE, test: str = KNOWN_BYTES) -> Finding:
    """Judge a defect that puts the line `new` in place of the one that encodes, taking that for `old`."""
    code = (ROOT / SOURCE).read_text()
    assert LINE in code
    before, after = code.replace(LINE, old).splitlines(), code.replace(LINE, new).splitlines()
    diff = difflib.unified_diff(before, after, f"a/{SOURCE}", f"b/{SOURCE}", lineterm="")
    patch = tmp_path / "defect.patch"
    patch.write_text("\n".join(["Promise: as said", f"Test: {test}", "", *diff, ""]))
    (finding,) = judge_all([patch], jobs=1)
    return finding


def test_defect_that_the_test_notices_is_caught(tmp_path: Path) -> None:
    assert judge_one(tmp_path, new="            parts.append(field)").outcome == "caught"


def test_change_without_effect_is_not_caught(tmp_path: Path) -> None:
    assert judge_one(tmp_path, new=f"{LINE}  # the same").outcome == "NOT CAUGHT"


def test_patch_that_only_stumbles_is_broken(tmp_path: Path) -> None:
    finding = judge_one(tmp_path, new="            return no_such_name")
    assert (finding.outcome, "NameError" in finding.reason) == ("BROKEN", True)


def test_patch_that_no_longer_applies_is_broken(tmp_path: Path) -> None:
    finding = judge_one(tmp_path, old="            a_line_that_is_not_there", new="            parts")
    assert (finding.outcome, "does not apply" in finding.reason) == ("BROKEN", True)


def test_test_that_does_not_exist_is_broken(tmp_path: Path) -> None:
    test = "tests/unit/domain/test_fields.py::test_no_such_test"
    finding = judge_one(tmp_path, new="            parts.append(field)", test=test)
    assert (finding.outcome, "pytest exited with 4" in finding.reason) == ("BROKEN", True)


def test_patch_without_head_is_broken(tmp_path: Path) -> None:
    patch = tmp_path / "defect.patch"
    patch.write_text("Promise: no test named\n\ndiff --git a/x b/x\n")
    (finding,) = judge_all([patch], jobs=1)
    assert finding.outcome == "BROKEN"


def test_of_many_tests_the_one_that_fails_without_a_defect_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n\n@pytest.mark.parametrize('given', [1, 2])\ndef test_fails(given): assert given == 1\n\n"
        "def test_passes(): pass\n\ndef test_skips(): getattr(pytest, 'skip')()\n"
    )
    tests = [f"test_some.py::{name}" for name in ("test_fails[1]", "test_fails[2]", "test_passes", "test_skips")]
    assert require_passing(tests, tmp_path, jobs=2) == {
        "test_some.py::test_fails[2]": "its test fails without the defect",
        "test_some.py::test_skips": "its test without the defect: skipped, not judged: Skipped",
    }
