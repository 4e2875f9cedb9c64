"""Coverage-guided fuzzing of the targets, for as long as asked.

    python -m tests.fuzz.fuzz [--seconds N] [--out FOLDER] [TARGET ...]

Each target, one after the other, runs in a process of its own for its share of the time: an input that kills or hangs
the process is a finding too. A finding's input and the trace are kept in `build/fuzz/<target>/`; the exit status is 1
if there is one. What a run learns about a parser is kept beside it, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import atheris  # type: ignore[import-untyped]  # brings no types

from tests.fuzz.target import Target, chosen, judge

ROOT: Final = Path(__file__).resolve().parents[2]
TABLE: Final = "tests.fuzz.targets"
# Parsers that are written in Python, ours and those that we rely on. Of C and Rust only the outcome is seen.
INSTRUMENTED: Final = [
    "strongroom_service",
    "strongroom_client",
    "fido2",
    "jwt",
    "json",
    "tarfile",
    "bech32",
    "tests.fuzz",
    "check_export",
]
MAX_INPUT_BYTES: Final = 16 * 1024
HANG_SECONDS: Final = 10
MEMORY_MEGABYTES: Final = 2048
# Beside its time a process has this long to import, make its seeds and end.
START_SECONDS: Final = 300
LAST_LINES: Final = 12
TRACE_HEAD: Final = "=== Uncaught Python exception: ==="


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one target went: `failed`, or not, and the last of what its process wrote."""

    target: str
    failed: bool
    log: str

    def line(self) -> str:
        """Say it in a line; a finding with the end of its trace, or of its log."""
        if not self.failed:
            return f"{self.target}: nothing found ({_runs(self.log)})"
        _, head, trace = self.log.partition(TRACE_HEAD)
        told, _, _ = (trace if head else self.log).strip().partition("\n==")
        last = "\n".join(f"    {line}" for line in told.splitlines()[-LAST_LINES:])
        return f"{self.target}: FINDING\n{last}"


def fuzz(table: str, name: str, *, seconds: int, out: Path) -> Outcome:
    """Fuzz one target in a process of its own."""
    folder = out / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.fuzz", "--one", "--table", table, "--out", str(folder)]
    command += ["--seconds", str(seconds), name]
    # The fuzzer ends its process at once, so what that has in its temporary folder is taken away here.
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-fuzz-") as scratch,
        (folder / "log").open("w+", encoding="utf-8", errors="replace") as log,
    ):
        run = functools.partial(subprocess.run, cwd=ROOT, env={**os.environ, "TMPDIR": scratch}, check=False)
        try:
            status = run(command, stdout=log, stderr=log, timeout=seconds + START_SECONDS).returncode
        except subprocess.TimeoutExpired:
            status = -1
        log.seek(0)
        return Outcome(target=name, failed=status != 0, log=log.read())


def fuzz_here(name: str, target: Target, *, seconds: int, folder: Path) -> None:
    """Fuzz one target in this process, which ends with it: 0, or the fuzzer's own status for a finding."""
    corpus = folder / "corpus"
    for seed in target.seeds():
        judge(target, seed)
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={folder}/",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEGABYTES}",
        "-print_final_stats=1",
    ]
    atheris.Setup([name, *options, str(corpus)], lambda data: judge(target, data))
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz what was asked for; 1 if anything was found, 2 if a target is unknown."""
    asked = _parse(arguments)
    if asked.one:
        with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
            table = importlib.import_module(asked.table).TARGETS
        (name,) = asked.targets
        fuzz_here(name, table[name], seconds=asked.seconds, folder=asked.out)
        return 0
    try:
        names = list(chosen(importlib.import_module(asked.table).TARGETS, asked.targets))
    except LookupError as error:
        print(error.args[0])
        return 2
    share = max(1, asked.seconds // len(names))
    failed = False
    for name in names:
        outcome = fuzz(asked.table, name, seconds=share, out=asked.out.resolve())
        print(outcome.line(), flush=True)
        failed = failed or outcome.failed
    if failed:
        print(f"inputs and traces are in {asked.out}")
    return int(failed)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description="Fuzz the parsers of hostile bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="names of targets; all of them by default")
    parser.add_argument("--seconds", type=int, default=600, help="for all of them together")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "fuzz", help="what is learned and found")
    parser.add_argument("--table", default=TABLE, help="module with the table of targets")
    parser.add_argument("--one", action="store_true", help="fuzz one target in this process")
    return parser.parse_args(arguments)


def _runs(log: str) -> str:
    done = [line for line in log.splitlines() if line.startswith("Done ")]
    return done[-1].removeprefix("Done ") if done else "not one run"


if __name__ == "__main__":
    raise SystemExit(main())
