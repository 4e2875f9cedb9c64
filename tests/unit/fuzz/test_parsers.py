"""Whatever reads bytes or messages is reached by a fuzz target, or the table says whose bytes they are."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tests.fuzz.target import Target, accepts
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[3]
ROOMS = (ROOT / "service" / "strongroom_service", ROOT / "clients" / "python" / "strongroom_client")
READS = re.compile(r"_?(parse|decode|read|open|verify|check|extract|unseal|unwrap|load|examine|translate)")
OF_BYTES = re.compile(r"\bbytes\b|_pb2|\bBinaryIO\b|Mapping\[str, Any\]")

NOT_HOSTILE: dict[str, str] = {
    "strongroom_service/application/describe.py": "asks for rows by their ids, reads none",
    "strongroom_service/application/present_record.py": "passes rows on, reads none",
    "strongroom_service/application/stores.py": "ports: rows by their ids",
    "strongroom_service/application/verify_histories.py": "compares what chains, files and keepers have read",
    "strongroom_service/config/secret_file.py": "the operator's own secret, of a file that others may not write",
    "strongroom_service/front/unreadable.py": "what is no message: tests/integration/abuse/test_no_message.py",
    "strongroom_service/keeper/token/check_values.py": "the token's own answers",
    "strongroom_service/keeper/token/pkcs11_token.py": "passes bytes to the token: tests/contract/test_token*.py",
    "strongroom_service/keeper/token/self_test.py": "the token's own answers",
    "strongroom_service/store/sqlite.py": "stores bytes, reads none",
}
"""Modules that no target reaches, and why they need none."""


def readers() -> Iterator[str]:
    """Modules with a function that reads: by its name, and by a parameter of bytes or of a message."""
    for room in ROOMS:
        for path in sorted(room.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if any(_reads(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
                yield str(path.relative_to(room.parent))


def _reads(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = (ast.unparse(each.annotation) for each in arguments if each.annotation is not None)
    return bool(READS.match(function.name)) and any(OF_BYTES.search(each) for each in annotations)


def reached_by(target: Target) -> set[str]:
    """Modules that a function was called in while the target's seeds were read."""
    seeds = target.seeds()
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for seed in seeds:
            accepts(target, seed)
    finally:
        sys.setprofile(before)
    return {str(Path(file).relative_to(room.parent)) for file in files for room in ROOMS if file.startswith(str(room))}


def test_every_reader_of_bytes_has_a_target_or_a_reason() -> None:
    reached = set[str]().union(*(reached_by(target) for target in TARGETS.values()))
    assert set(readers()) - reached == set(NOT_HOSTILE), "give it a target, or say whose bytes it reads"


def test_reader_without_a_target_is_noticed() -> None:
    """Control: without the targets that go through the keeper there is much that nothing reaches."""
    reached = reached_by(TARGETS["client_data"])
    assert "strongroom_service/keeper/webauthn/client_data.py" in reached
    assert "strongroom_service/keeper/formats/sealing.py" in set(readers()) - reached
