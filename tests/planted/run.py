"""Planted defects: shows that the tests fail when the promise they guard is broken.

Each `tests/planted/*.patch` breaks one promise. Its head, before the diff, names what and who must notice:

    Promise: fields are length-prefixed, so no two lists share an encoding
    Test: tests/unit/domain/test_fields.py::test_known_bytes

For each: copy the tree (what git knows, and new files not ignored) to a scratch folder, apply the patch, run the test
there against the scratch code. The test must pass on the tree as it is and fail, as a test does, on the patched one. A
patch that does not apply, a test that is not found, and a test that fails for want of a name or an import count as
broken, not as caught.

    python -m tests.planted.run [--jobs N] [NAME ...]     NAME: file name of a patch, without its suffix
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_KUBE = ".venv-kube"
SOURCES = ("service", "clients/python", "clients/examples/app-backend", "protos/gen/python")
PACKAGES = ("strongroom_service", "strongroom_client", "app_backend", "strongroom")
# One test may take the first, and each of many about the second.
TEST_SECONDS = 300
_MEAN_SECONDS = 10
# The test stumbled over the patch itself and never came to judge the promise.
STUMBLES = ("NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "AttributeError")


class Broken(Exception):
    """The patch or its test is unfit to show anything; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Defect:
    """A patch with what its head says."""

    path: Path
    promise: str
    test: str


@dataclass(frozen=True)
class Verdict:
    """What pytest reports against a test: its name as pytest takes it; failure, error or skipped; and why."""

    test: str
    kind: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of one defect; `outcome` is caught, NOT CAUGHT or BROKEN."""

    defect: str
    outcome: str
    promise: str
    reason: str = ""


def read_defect(path: Path) -> Defect:
    """Read the head of a patch.

    Raises:
        Broken: the head lacks `Promise:` or `Test:`.
    """
    head: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("diff ", "--- ")):
            break
        name, separator, value = line.partition(":")
        if separator:
            head[name] = value.strip()
    if not head.get("Promise") or not head.get("Test"):
        raise Broken("its head lacks Promise: or Test:")
    return Defect(path=path, promise=head["Promise"], test=head["Test"])


def tree() -> list[str]:
    """Return the files that git knows, or would add, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def copy_tree(names: Sequence[str], scratch: Path) -> None:
    """Copy `names` below `scratch`, modes included; packages of Node are lent."""
    for name in names:
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, scratch / name)
    for lock in (Path(name) for name in names if Path(name).name == "package-lock.json"):
        (scratch / lock).with_name("node_modules").symlink_to((ROOT / lock).with_name("node_modules"))
    if (ROOT / _KUBE).exists():  # the chart's tests find their tools in the tree they are of
        (scratch / _KUBE).symlink_to((ROOT / _KUBE).resolve())


def environment(scratch: Path) -> dict[str, str]:
    """Return this process's environment, changed so that Python imports the project from `scratch`."""
    return {
        **os.environ,
        # Comes before what the editable install adds to the path.
        "PYTHONPATH": os.pathsep.join(str(scratch / source) for source in SOURCES),
        # A cached module of the same size and second must not hide the patch.
        "PYTHONDONTWRITEBYTECODE": "1",
        # git apply passes over a folder it takes for part of a repository around it.
        "GIT_CEILING_DIRECTORIES": str(scratch.parent),
    }


def require_scratch_code(scratch: Path) -> None:
    """Make sure that the patched code is what the test imports.

    Raises:
        Broken: a package would come from somewhere else.
    """
    program = f"import {', '.join(PACKAGES)}; print(*({'.__file__, '.join(PACKAGES)}.__file__,), sep='\\n')"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=scratch, env=environment(scratch), check=False, capture_output=True, text=True)
    if result.returncode:
        raise Broken(f"the patched code cannot be imported: {result.stderr.strip().splitlines()[-1]}")
    for place in result.stdout.split():
        if not Path(place).is_relative_to(scratch):
            raise Broken(f"imported from {place}, not from the scratch copy")


def apply_patch(defect: Defect, scratch: Path) -> None:
    """Apply the patch, without fuzz.

    Raises:
        Broken: it does not apply: the code it breaks has changed.
    """
    command = ["git", "apply", "--whitespace=nowarn", str(defect.path)]
    result = subprocess.run(command, cwd=scratch, env=environment(scratch), check=False, capture_output=True, text=True)
    if result.returncode:
        raise Broken(f"does not apply: {result.stderr.strip().splitlines()[0]}")


def run_tests(tests: Sequence[str], scratch: Path, *, jobs: int = 1) -> list[Verdict]:
    """Run `tests` on the code in `scratch`, `jobs` at once; return what was found against each, none when all passed.

    Raises:
        Broken: pytest found no such test, could not collect, or took too long.
    """
    with tempfile.TemporaryDirectory() as reports:
        report = Path(reports) / "junit.xml"
        options = ["-q", f"--override-ini=cache_dir={reports}/cache", f"--rootdir={scratch}", f"--junit-xml={report}"]
        options.append("--override-ini=junit_family=xunit1")  # names each test's file
        if jobs > 1:
            options += ["-n", str(jobs), "--dist", "worksteal"]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        seconds = TEST_SECONDS + len(tests) * _MEAN_SECONDS
        try:
            result = subprocess.run(
                command,
                cwd=scratch,
                env=environment(scratch),
                check=False,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"took more than {seconds} s") from None
        if result.returncode not in {0, 1}:
            tail = (result.stdout + result.stderr).strip().splitlines()
            raise Broken(f"pytest exited with {result.returncode}: {tail[-1] if tail else 'no output'}")
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314  pytest wrote it just now
        found = [
            Verdict(f"{case.get('file')}::{case.get('name')}", child.tag, child.get("message", ""))
            for case in cases
            for child in case
            if child.tag in {"error", "skipped", "failure"}
        ]
    if any(verdict.kind != "skipped" for verdict in found) != bool(result.returncode):
        raise Broken("pytest's report and its exit code disagree")
    return found


def failures_of(test: str, scratch: Path) -> list[str]:
    """Run one test on the code in `scratch`; return the message of each failure, none when it passed.

    Raises:
        Broken: as `run_tests`, or it met an error outside the test itself.
    """
    verdicts = run_tests([test], scratch)
    for verdict in verdicts:
        if verdict.kind != "failure":
            raise Broken(f"{verdict.kind}, not judged: {verdict.message.splitlines()[0]}")
    return [verdict.message for verdict in verdicts]


def require_passing(tests: Sequence[str], scratch: Path, *, jobs: int) -> dict[str, str]:
    """Return why each test that does not pass on the unpatched tree in `scratch` is unfit.

    All are tried in one run; what did not pass there is tried once more by itself, as it is on the patched trees.
    """
    try:
        doubtful = {verdict.test.partition("[")[0] for verdict in run_tests(tests, scratch, jobs=jobs)}
    except Broken:
        doubtful = {test.partition("[")[0] for test in tests}  # one of them spoils the run: each by itself tells which
    unfit: dict[str, str] = {}
    for test in tests:
        if test.partition("[")[0] not in doubtful:
            continue
        try:
            if failures_of(test, scratch):
                unfit[test] = "its test fails without the defect"
        except Broken as error:
            unfit[test] = f"its test without the defect: {error}"
    return unfit


def judge(defect: Defect, names: Sequence[str]) -> Finding:
    """Plant the defect in a copy of `names` and see whether its test notices."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        scratch = Path(folder).resolve()
        try:
            copy_tree(names, scratch)
            apply_patch(defect, scratch)
            require_scratch_code(scratch)
            failures = failures_of(defect.test, scratch)
        except Broken as error:
            return Finding(defect=defect.path.stem, outcome="BROKEN", promise=defect.promise, reason=str(error))
    if not failures:
        return Finding(defect=defect.path.stem, outcome="NOT CAUGHT", promise=defect.promise, reason=defect.test)
    if stumbled := [message for message in failures if message.startswith(STUMBLES)]:
        reason = f"stumbled: {stumbled[0].splitlines()[0]}"
        return Finding(defect=defect.path.stem, outcome="BROKEN", promise=defect.promise, reason=reason)
    return Finding(defect=defect.path.stem, outcome="caught", promise=defect.promise)


def judge_all(paths: Sequence[Path], *, jobs: int) -> list[Finding]:
    """Judge every patch, `jobs` at once; findings come in the order of `paths`."""
    findings: dict[Path, Finding] = {}
    defects: list[Defect] = []
    for path in paths:
        try:
            defects.append(read_defect(path))
        except Broken as error:
            findings[path] = Finding(defect=path.stem, outcome="BROKEN", promise="", reason=str(error))
    names = tree()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        unpatched = Path(folder).resolve()
        copy_tree(names, unpatched)
        require_scratch_code(unpatched)
        unfit = require_passing(sorted({defect.test for defect in defects}), unpatched, jobs=jobs) if defects else {}
    for defect in defects:
        if reason := unfit.get(defect.test):
            findings[defect.path] = Finding(
                defect=defect.path.stem, outcome="BROKEN", promise=defect.promise, reason=reason
            )
    fit = [defect for defect in defects if defect.test not in unfit]
    with ThreadPoolExecutor(jobs) as pool:
        for defect, finding in zip(fit, pool.map(lambda defect: judge(defect, names), fit), strict=True):
            findings[defect.path] = finding
    return [findings[path] for path in paths]


def main() -> int:
    """Judge the named patches, or all, and print a table; 1 unless every defect was caught."""
    parser = argparse.ArgumentParser(description="Plants defects; each must make the test named in it fail.")
    parser.add_argument("--jobs", type=int, default=2, help="patches judged at once (default 2)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="patches to judge, without suffix (default: all)")
    arguments = parser.parse_args()
    folder = Path(__file__).resolve().parent
    paths = [folder / f"{name}.patch" for name in arguments.names] or sorted(folder.glob("*.patch"))
    if unknown := [path.stem for path in paths if not path.is_file()]:
        parser.error(f"no such patch: {', '.join(unknown)}")
    findings = judge_all(paths, jobs=arguments.jobs)
    width = max((len(finding.defect) for finding in findings), default=0)
    for finding in findings:
        print(f"{finding.outcome:<10}  {finding.defect:<{width}}  {finding.promise}")
        if finding.reason:
            print(f"{'':<10}  {'':<{width}}  {finding.reason}")
    caught = sum(finding.outcome == "caught" for finding in findings)
    print(f"{caught} of {len(findings)} planted defects caught")
    return int(caught != len(findings))


if __name__ == "__main__":
    raise SystemExit(main())
