"""Users by number, for tests that run as root: no account on this machine needs to have these numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.development.environment import VaultFiles, VaultShape, make_files
from tests.integration.service.daemons import Python, User

ROOT: Final = Path(__file__).resolve().parents[3]
_COVERAGE: Final = "COVERAGE"
# Nothing that the service needs, and most of a library's size.
_NOT_COPIED: Final = shutil.ignore_patterns("site-packages", "test", "config-3*", "idlelib", "ensurepip", "lib2to3")


FRONT: Final = User(uid=61_001, gid=61_001)
KEEPER: Final = User(uid=61_002, gid=61_002)
STRANGER: Final = User(uid=61_003, gid=61_003)
STRANGER_IN_FRONTS_GROUP: Final = User(uid=STRANGER.uid, gid=FRONT.gid)

USERS_TABLE: Final = f"""
[users]
front_uid = {FRONT.uid}
front_gid = {FRONT.gid}
keeper_uid = {KEEPER.uid}
keeper_gid = {KEEPER.gid}
"""


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a new folder that every user can pass through; pytest's own are for one user."""
    with TemporaryDirectory(prefix="strongroom-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def python_for_all(folder: Path) -> Python:
    """Return a Python that every user can run: ours or, where it lives in a closed home, a copy of it in `folder`."""
    # Coverage would have every user write into one folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_COVERAGE)}
    ours = Python(environment=environment)
    if _why_not(ours) is None:
        return ours
    copy = _copied(folder, environment)
    why_not = _why_not(copy)
    assert why_not is None, (
        f"user {STRANGER.uid} cannot run this project, so the service cannot be tried under users of its own: let "
        f"others read {ROOT} and {sys.prefix}, as by moving the clone out of a closed home. {why_not}"
    )
    return copy


def run_as(user: User, python: Python, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as another user, without further groups."""
    return subprocess.run(
        [python.executable, "-P", "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env=python.environment,
        user=user.uid,
        group=user.gid,
        extra_groups=(),
    )


def make_unseparated_files(folder: Path, *, keepers: int) -> VaultFiles:
    """Make a vault's files, with neither users nor single_user stated; what is not secret, everybody may read."""
    files = make_files(
        folder, VaultShape(keeper_settings={"reopen_seconds": 0.1}, keepers=keepers, settings={"single_user": False})
    )
    for path in (files.config_file, files.ca_file, folder / "server.pem", *(folder / "tenants").iterdir()):
        path.chmod(0o644)
    for path in (folder, folder / "tenants"):
        path.chmod(0o755)
    return files


def make_separate_files(folder: Path, *, keepers: int) -> VaultFiles:
    """Make a vault's files as docs/operations.md has them for two users. Nothing is initialised."""
    files = make_unseparated_files(folder, keepers=keepers)
    with files.config_file.open("a", encoding="utf-8") as file:
        file.write(USERS_TABLE)
    _give(folder / "token", KEEPER)
    _give(folder / "keeper", KEEPER)
    _give(folder / "data", FRONT)
    _give(folder / "server-key.pem", FRONT)
    (folder / "token").chmod(0o700)
    return files


def _give(path: Path, user: User) -> None:
    for each in (path, *path.rglob("*")):
        os.chown(each, user.uid, user.gid)


def _why_not(python: Python) -> str | None:
    try:
        tried = run_as(STRANGER, python, "import strongroom_service.cli.main")
    except OSError as error:
        return str(error)
    return tried.stderr if tried.returncode else None


def _copied(folder: Path, environment: dict[str, str]) -> Python:
    """Copy the interpreter and its standard library; the packages stay where they are."""
    library = Path(sysconfig.get_path("stdlib"))
    copy_of_library = folder / "lib" / library.name
    shutil.copytree(library, copy_of_library, ignore=_NOT_COPIED)
    for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython*.so*"):
        shutil.copy(shared, folder / "lib")
    (folder / "bin").mkdir()
    for each in (folder, folder / "lib", folder / "bin"):
        each.chmod(0o755)  # whatever our umask
    executable = Path(shutil.copy(Path(sys.executable).resolve(), folder / "bin"))
    packages = copy_of_library / "site-packages"
    packages.mkdir()
    # addsitedir, unlike PYTHONPATH, also reads what an editable installation left there.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "original.pth").write_text(line, encoding="utf-8")
    packages.chmod(0o755)
    (packages / "original.pth").chmod(0o644)
    return Python(executable=str(executable), environment={**environment, "LD_LIBRARY_PATH": str(folder / "lib")})
