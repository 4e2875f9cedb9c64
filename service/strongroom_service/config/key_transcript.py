"""The transcript of a key ceremony: its steps in a chain of hashes, under one signature.

    hash(n) = SHA-256 of fields("strongroom/v1/key-transcript-step", hash(n-1), step n as canonical JSON)

hash(0) is 32 zeros. The body (see signed_document.py, label "strongroom/v1/key-transcript") has `schema` 1,
`witnesses`, `steps` (each `number`, `at`, `title`, `facts`, `hash`) and `head`, the last step's hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from strongroom_service.config.signed_document import SignedDocument, canonical_json, read_document
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.domain.fields import hash_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from strongroom_service.domain.clock import Millis

TRANSCRIPT_LABEL: Final = "strongroom/v1/key-transcript"
_STEP_LABEL: Final = "strongroom/v1/key-transcript-step"
_SCHEMA: Final = 1


class Transcript:
    """Grows by a step at a time."""

    def __init__(self, witnesses: Sequence[str]) -> None:
        """Begin with no step."""
        self._witnesses = list(witnesses)
        self._steps: list[dict[str, Any]] = []

    @property
    def head(self) -> str:
        """The last step's hash, 64 hex digits; zeros before the first."""
        return self._steps[-1]["hash"] if self._steps else bytes(32).hex()

    def add(self, title: str, facts: Mapping[str, Any], *, at: Millis) -> int:
        """Take down a step and return its number."""
        step = {"number": len(self._steps) + 1, "at": at, "title": title, "facts": dict(facts)}
        self._steps.append({**step, "hash": _step_hash(self.head, step)})
        return len(self._steps)

    @property
    def body(self) -> dict[str, Any]:
        """What is signed."""
        return {"schema": _SCHEMA, "witnesses": self._witnesses, "steps": list(self._steps), "head": self.head}


def read_transcript(path: Path) -> SignedDocument:
    """Read a transcript, check its signature and that every step goes on from the one before.

    Raises:
        Misconfigured: it is not whole; names the step.
    """
    document = read_document(path, TRANSCRIPT_LABEL)
    body = document.body
    try:
        if body["schema"] != _SCHEMA or set(body) != {"schema", "witnesses", "steps", "head"}:
            raise Misconfigured(f"{path} is not a transcript of a form known here")
        head = bytes(32).hex()
        for number, step in enumerate(body["steps"], 1):
            rest = {name: value for name, value in step.items() if name != "hash"}
            if step["number"] != number or step["hash"] != _step_hash(head, rest):
                raise Misconfigured(f"{path}: step {number} does not go on from the one before")
            head = step["hash"]
        if not body["steps"] or head != body["head"]:
            raise Misconfigured(f"{path}: the last step is not the one that was signed for")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Misconfigured(f"{path} is not a transcript of a form known here") from None
    return document


def _step_hash(head: str, step: Mapping[str, Any]) -> str:
    return hash_fields(_STEP_LABEL, bytes.fromhex(head), canonical_json(step)).hex()
