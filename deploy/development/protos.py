"""Generates Python from protos/, or checks that what is committed is what would be generated.

    python -m deploy.development.protos generate    writes protos/gen/python
    python -m deploy.development.protos check       buf lint, no drift, buf breaking against the newest release tag

The versions of protoc and its plugins come from the lock file, so the same sources give the same bytes everywhere.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
COMMITTED = PROTOS / "gen" / "python"
PACKAGE = "strongroom"
BIN = Path(sys.executable).parent


def generate(target: Path) -> None:
    """Write the Python of every .proto file below `target`, with the package files that make it importable.

    Raises:
        SystemExit: protoc refused a file; it has said why on stderr.
    """
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / PACKAGE).rglob("*.proto"))
    target.mkdir(parents=True, exist_ok=True)
    folders = {Path(PACKAGE), *(Path(parent) for source in sources for parent in Path(source).parents[:-1])}
    for folder in folders:
        (target / folder).mkdir(parents=True, exist_ok=True)
        (target / folder / "__init__.py").write_text("")
    (target / PACKAGE / "py.typed").write_text("")
    if not sources:
        return
    plugins = [f"--plugin={name}={BIN / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    # Stubs typed for grpc and grpc.aio alike: the channel given decides which.
    outputs = [f"--python_out={target}", f"--grpc_python_out={target}", f"--mypy_out=quiet:{target}"]
    outputs.append(f"--mypy_grpc_out=quiet:{target}")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTOS}", *plugins, *outputs, *sources]
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(code)
    for module in target.rglob("*_pb2_grpc.py"):
        # Written for files without a service too, with nothing in them.
        if "class " not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink()


def contents(folder: Path) -> dict[str, bytes]:
    """Return every generated file below `folder` by its relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def write() -> int:
    """Make the committed tree what would be generated; files whose source is gone are removed."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        wanted = contents(Path(scratch))
    present = contents(COMMITTED)
    for name in present.keys() - wanted.keys():
        (COMMITTED / name).unlink()
    for name, content in wanted.items():
        if present.get(name) != content:
            (COMMITTED / name).parent.mkdir(parents=True, exist_ok=True)
            (COMMITTED / name).write_bytes(content)
    return 0


def check() -> int:
    """Lint the sources and compare the committed tree with a fresh one; 0 when all is well."""
    failed = subprocess.run([BIN / "buf", "lint", PROTOS], cwd=ROOT, check=False).returncode != 0
    tags = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    release = subprocess.run(tags, cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()
    if release:
        breaking = [str(BIN / "buf"), "breaking", str(PROTOS), "--against", f".git#tag={release},subdir=protos"]
        failed |= subprocess.run(breaking, cwd=ROOT, check=False).returncode != 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        wanted = contents(Path(scratch))
    present = contents(COMMITTED)
    drifted = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    for name in drifted:
        print(f"protos/gen/python/{name}: not what its source gives; run `make protos`", file=sys.stderr)
    return int(failed or bool(drifted))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Python from protos/.")
    parser.add_argument("command", choices=["generate", "check"])
    raise SystemExit(write() if parser.parse_args().command == "generate" else check())
