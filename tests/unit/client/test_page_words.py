"""The page has words of its own for every kind of error that the browser library may end in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

_WEB = Path(__file__).resolve().parents[3] / "clients" / "web"
# Kinds whose family says all that helps: what would differ is for the product's support, and in no way for its user.
_AS_THEIR_FAMILY = {
    "The vault's answer cannot be believed": {
        "NotProven",
        "StatementMismatch",
        "ReceiptInvalid",
        "BundleInvalid",
        "OwnerBundleInvalid",
        "ReplyMismatch",
    },
    "What the vault keeps for you does not open": {"EnvelopeError", "EnvelopeCorrupt", "EnvelopeTooLarge"},
}


def told() -> dict[str, dict[str, str]]:
    """Return what is told of each kind, by its name."""
    program = [str(Path(sys.executable).with_name("node")), "tests/words.ts"]
    ended = subprocess.run(program, cwd=_WEB, check=True, capture_output=True, text=True, timeout=60)
    words: dict[str, dict[str, str]] = json.loads(ended.stdout)
    return words


def test_every_kind_of_error_has_words_and_each_its_own() -> None:
    words = told()
    unknown = words.pop("unknown")["title"]
    assert {name for name, one in words.items() if one["title"] == unknown} == {"StrongroomError"}, "the root of all"
    shared = {title for title, times in Counter(one["title"] for one in words.values()).items() if times > 1}
    assert {title: {name for name, one in words.items() if one["title"] == title} for title in shared} == (
        _AS_THEIR_FAMILY
    )


def test_words_are_for_people() -> None:
    for name, one in told().items():
        said = f"{one['title']} {one['said']}"
        assert not re.search(r"[A-Z]{2,}_|undefined|\bnull\b|\[object", said), name
        assert not one["title"].endswith("."), name
        assert name == "RecoveryKeyTypo" or one["said"].endswith("."), name
