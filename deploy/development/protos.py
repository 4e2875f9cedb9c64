"""Generates Python and TypeScript from protos/, or checks that what is committed is what would be generated.

    python -m deploy.development.protos generate    writes protos/gen/python and clients/web/src/gen
    python -m deploy.development.protos check       buf lint, no drift, buf breaking against the newest release tag

The versions of protoc and its plugins come from the lock files, so the same sources give the same bytes everywhere.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
PACKAGE = "strongroom"
BIN = Path(sys.executable).parent
# What clients speak; the keeper's frames are no affair of theirs.
CLIENTS_SOURCES: Final = "strongroom/v1"
# What browsers reach without a proxy: this service and no other.
BROWSERS_SOURCE: Final = "strongroom/v1/vault_service.proto"
# In what refusals say more, from Google's own files.
ERROR_DETAILS: Final = "google/rpc/error_details.proto"


def generate_python(target: Path) -> None:
    """Write the Python of every .proto file below `target`, with the package files that make it importable.

    Raises:
        SystemExit: protoc refused a file; it has said why on stderr.
    """
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / PACKAGE).rglob("*.proto"))
    folders = {Path(PACKAGE), *(Path(parent) for source in sources for parent in Path(source).parents[:-1])}
    for folder in folders:
        (target / folder).mkdir(parents=True, exist_ok=True)
        (target / folder / "__init__.py").write_text("")
    (target / PACKAGE / "py.typed").write_text("")
    plugins = [f"--plugin={name}={BIN / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    connect = f"--plugin=protoc-gen-connectrpc={BIN / 'protoc-gen-connectrpc'}"
    # Stubs typed for grpc and grpc.aio alike: the channel given decides which.
    outputs = [f"--python_out={target}", f"--grpc_python_out={target}", f"--mypy_out=quiet:{target}"]
    outputs.append(f"--mypy_grpc_out=quiet:{target}")
    run_protoc(*plugins, *outputs, *sources)
    run_protoc(connect, f"--connectrpc_out={target}", "--connectrpc_opt=protobuf=google,io=async", BROWSERS_SOURCE)
    for module in target.rglob("*_pb2_grpc.py"):
        # Written for files without a service too, with nothing in them.
        if "class " not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink()


def generate_typescript(target: Path) -> None:
    """Write what clients speak below `target`, as JavaScript with types, since Node refuses enums in TypeScript.

    Raises:
        SystemExit: protoc refused a file; it has said why on stderr.
    """
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / CLIENTS_SOURCES).glob("*.proto"))
    plugin = ROOT / "clients/web/node_modules/.bin/protoc-gen-es"
    options = "target=js+dts,import_extension=js"
    run_protoc(f"--plugin=protoc-gen-es={plugin}", f"--es_out={target}", f"--es_opt={options}", *sources, ERROR_DETAILS)


def googleapis() -> Path:
    """Return the folder that holds Google's own .proto files, as their package ships them."""
    return Path(str(files("google.rpc") / "error_details.proto")).parents[2]


def run_protoc(*arguments: str) -> None:
    """Run protoc over our sources and Google's.

    Raises:
        SystemExit: it refused; it has said why on stderr.
    """
    paths = [f"--proto_path={folder}" for folder in (PROTOS, googleapis())]
    # Plugins for Node find it first on the path, whatever else the machine has.
    path = f"{BIN}:/usr/bin:/bin"
    command = [sys.executable, "-m", "grpc_tools.protoc", *paths, *arguments]
    if code := subprocess.run(command, check=False, env={"PATH": path}).returncode:
        raise SystemExit(code)


GENERATED: Final[dict[Path, Callable[[Path], None]]] = {
    PROTOS / "gen" / "python": generate_python,
    ROOT / "clients/web/src/gen": generate_typescript,
}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every generated file below `folder` by its relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def wanted_contents(generate: Callable[[Path], None]) -> dict[str, bytes]:
    """Return what `generate` writes now."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        return contents(Path(scratch))


def write() -> int:
    """Make the committed trees what would be generated; files whose source is gone are removed."""
    for committed, generate in GENERATED.items():
        wanted = wanted_contents(generate)
        present = contents(committed)
        for name in present.keys() - wanted.keys():
            (committed / name).unlink()
        for name, content in wanted.items():
            if present.get(name) != content:
                (committed / name).parent.mkdir(parents=True, exist_ok=True)
                (committed / name).write_bytes(content)
    return 0


def check() -> int:
    """Lint the sources and compare the committed trees with fresh ones; 0 when all is well."""
    failed = subprocess.run([BIN / "buf", "lint", PROTOS], cwd=ROOT, check=False).returncode != 0
    tags = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    release = subprocess.run(tags, cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()
    if release:
        breaking = [str(BIN / "buf"), "breaking", str(PROTOS), "--against", f".git#tag={release},subdir=protos"]
        failed |= subprocess.run(breaking, cwd=ROOT, check=False).returncode != 0
    for committed, generate in GENERATED.items():
        wanted, present = wanted_contents(generate), contents(committed)
        for name in sorted(wanted.keys() | present.keys()):
            if wanted.get(name) != present.get(name):
                failed = True
                path = (committed / name).relative_to(ROOT)
                print(f"{path}: not what its source gives; run `make protos`", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Python and TypeScript from protos/.")
    parser.add_argument("command", choices=["generate", "check"])
    raise SystemExit(write() if parser.parse_args().command == "generate" else check())
