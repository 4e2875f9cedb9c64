"""What no linter looks at: sizes, addresses of package registries, tests that do not run, patches that do not fit.

Reads the files git knows or would add, prints one line per finding, exits 1 if there is one.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README_LINES = 150
MODULE_LINES = 300
MODULES = {".py", ".ts", ".js"}
# One file on purpose, so that it can be carried to where nothing of this project is, and read there.
STANDALONE = ("deploy/evidence/check_export.py",)
GENERATED = ("protos/gen/", "clients/web/src/gen/")

# Addresses of package registries, and the options that name one: each would tie everyone to one mirror, and may be
# private or hold a password. Written with the dots apart, so that this file passes its own check.
REGISTRIES = (
    "pypi org",
    "files pythonhosted org",
    "registry npmjs org",
    "registry yarnpkg com",
    "proxy golang org",
    "index crates io",
    "deb debian org",
    "index url",
)
REGISTRY = re.compile("|".join(words.replace(" ", "[._-]") for words in REGISTRIES), re.IGNORECASE)
# A test that is skipped or expected to fail is a check nobody has.
NOT_RUN = re.compile(
    r"pytest\.(skip|xfail|importorskip)\b|mark\.(skip|skipif|xfail)\b|\b(test|it|describe)\.(skip|todo|only)\("
)
EXACT_VERSION = re.compile(r"\d+\.\d+\.\d+")
# A file, folder or pattern of tests in backticks, and one test in it.
NAMED_TEST = re.compile(r"`(tests/[\w./*-]*)(?:::(\w+))?`")


def files() -> Iterator[Path]:
    """Yield every file that is tracked, or new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    yield from (path for name in sorted(set(listed.split("\0"))) if name and (path := ROOT / name).is_file())


def missing_tests(path: Path) -> Iterator[str]:
    """Yield every test that a page names and nobody can find: a promise without its test is only a promise."""
    name = path.relative_to(ROOT).as_posix()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for pattern, test in NAMED_TEST.findall(line):
            found = [each for each in ROOT.glob(pattern) if not test or f"def {test}(" in each.read_text("utf-8")]
            if not found:
                yield f"{name}:{number}: there is no {pattern}{'::' if test else ''}{test}"


def loose_versions(path: Path) -> Iterator[str]:
    """Yield every package of a package.json whose version is not one version."""
    package = json.loads(path.read_text(encoding="utf-8"))
    for kind in ("dependencies", "devDependencies"):
        for name, version in package.get(kind, {}).items():
            if not EXACT_VERSION.fullmatch(version):
                yield f"{path.relative_to(ROOT).as_posix()}: {name} {version}: an exact version is needed"


def unfit_patches() -> Iterator[str]:
    """Yield every planted defect that no longer fits the code that it is to break."""
    for path in sorted((ROOT / "tests/planted").glob("*.patch")):
        fits = subprocess.run(["git", "apply", "--check", str(path)], cwd=ROOT, check=False, capture_output=True)
        if fits.returncode != 0:
            yield f"{path.relative_to(ROOT).as_posix()}: does not apply any more"


def findings(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file; binary files have no lines to judge."""
    name = path.relative_to(ROOT).as_posix()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    generated = name.startswith(GENERATED)
    if path.suffix == ".md":
        yield from missing_tests(path)
    if path.name == "package.json":
        yield from loose_versions(path)
    if name == "README.md" and len(lines) >= README_LINES:
        yield f"{name}: {len(lines)} lines; a signpost has fewer than {README_LINES}"
    if path.suffix in MODULES and not generated and name not in STANDALONE and len(lines) > MODULE_LINES:
        yield f"{name}: {len(lines)} lines; a module has at most {MODULE_LINES}: it is two things"
    for number, line in enumerate(lines, start=1):
        if REGISTRY.search(line):
            yield f"{name}:{number}: address of a package registry"
        if name.startswith("tests/") and path.suffix == ".py" and NOT_RUN.search(line):
            yield f"{name}:{number}: a test that does not run is no test"


def main() -> int:
    """Check every file; 1 if anything was found."""
    found = [*(finding for path in files() for finding in findings(path)), *unfit_patches()]
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
