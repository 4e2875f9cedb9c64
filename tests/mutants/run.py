"""Shows that the tests of the rules notice when a rule changes: mutmut changes `domain/` in one place at a time.

A change that no test notices (a survivor) is either a test that is missing, or makes no difference that anybody could
see. Of the second kind each is in `survivors.toml`, by function and changed lines, with the reason. The run fails on
a survivor that is not in there, and on an entry whose change is noticed or cannot be made any more.

    python -m tests.mutants.run [--jobs N]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.planted.run import ROOT, copy_tree, tree

SURVIVORS = Path(__file__).with_name("survivors.toml")
SCRATCH = ROOT / "build" / "mutants"
COPIED = ("tests/", "deploy/", "protos/gen/", "pyproject.toml")
SOURCES = "service/"
MUTMUT = Path(sys.executable).with_name("mutmut")
# A change that made an endless loop, or the interpreter fail, has been noticed too.
NOTICED = ("killed", "timeout", "segfault")


@dataclass(frozen=True, order=True)
class Change:
    """One change of one function; lines without their indentation."""

    function: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"    function = {self.function!r}\n    was = {self.was!r}\n    now = {self.now!r}"


class Unfit(Exception):
    """The run shows nothing; the message says why."""


def explained(text: str) -> dict[Change, str]:
    """Return the survivors that are known, with the reason of each, out of the text of `survivors.toml`.

    Raises:
        Unfit: one has no reason, or is there twice.
    """
    reasons: dict[Change, str] = {}
    for entry in tomllib.loads(text).get("survivor", []):
        change = Change(entry["function"], entry["was"], entry["now"])
        if change in reasons or not entry["why"].strip():
            raise Unfit(f"{SURVIVORS.name}: twice, or without a reason: {change}")
        reasons[change] = entry["why"]
    return reasons


def prepare() -> None:
    """Copy the tree anew; the service's sources go to `src`, which is where mutmut finds a module's name."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    names = tree()
    copy_tree([name for name in names if name.startswith((*COPIED, SOURCES))], SCRATCH)
    (SCRATCH / SOURCES).rename(SCRATCH / "src")


def mutate(*, jobs: int) -> None:
    """Make every change and run the tests on each.

    Raises:
        Unfit: mutmut failed, as it does when the tests fail without a change.
    """
    if subprocess.run([MUTMUT, "run", "--max-children", str(jobs)], cwd=SCRATCH, check=False).returncode:
        raise Unfit("mutmut did not come to an end")


def outcomes() -> dict[str, str]:
    """Return what became of each change, by mutmut's name of it."""
    listed = _mutmut("results", "--all", "true")
    return dict(line.strip().rsplit(": ", 1) for line in listed.splitlines() if "__mutmut_" in line)


def change_of(name: str, diff: str) -> Change:
    """Return the change behind mutmut's name of it and its diff."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    function = re.sub(r"__mutmut_\d+$", "", name).removeprefix("strongroom_service.domain.")
    # x_name of a function, xǁClassǁname of a method.
    function = re.sub(r"\.x_(?=\w+$)", ".", function).replace(".xǁ", ".").replace("ǁ", ".")
    return Change(function, _joined(lines, "-"), _joined(lines, "+"))


def _joined(lines: list[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in lines if line.startswith(sign))


def _mutmut(*arguments: str) -> str:
    command = [str(MUTMUT), *arguments]
    return subprocess.run(command, cwd=SCRATCH, check=True, capture_output=True, text=True).stdout


def findings(survivors: Mapping[Change, str], known: Iterable[Change]) -> Iterator[str]:
    """Say in what `survivors`, with the outcome of each, and those that are known differ."""
    explained_ones = set(known)
    for change in sorted(survivors.keys() - explained_ones):
        yield f"{survivors[change]}\n{change}"
    for change in sorted(explained_ones - survivors.keys()):
        yield f"explained, but noticed or gone\n{change}"


def main() -> int:
    """Print what is not explained; 1 if there is anything."""
    parser = argparse.ArgumentParser(description="Changes the rules in one place at a time; a test must notice each.")
    parser.add_argument("--jobs", type=int, default=2, help="changes tried at once (default 2)")
    jobs = parser.parse_args().jobs
    known = explained(SURVIVORS.read_text(encoding="utf-8"))
    prepare()
    mutate(jobs=jobs)
    found = outcomes()
    unnoticed = {name: outcome for name, outcome in found.items() if outcome not in NOTICED}
    survivors = {change_of(name, _mutmut("show", name)): outcome for name, outcome in unnoticed.items()}
    told = list(findings(survivors, known))
    print("\n".join(told))
    print(
        f"{len(found) - len(unnoticed)} of {len(found)} changes noticed, {len(known)} explained, {len(told)} findings"
    )
    return int(bool(told) or not found)


if __name__ == "__main__":
    raise SystemExit(main())
