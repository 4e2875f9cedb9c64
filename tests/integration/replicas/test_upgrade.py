"""From the release before to this one, and back, replica by replica under load: no call is lost, none turned away."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from tests.fakes.stepped_vault import ROOT, SteppedVault, children_of
from tests.fixtures.replicas import Replicas
from tests.integration.replicas.test_rolling_restart import PatientClients, check

RECORDED = Path(__file__).with_name("previous_release.txt")
SOURCES = ("service", "protos/gen/python")


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the release before, out of the history of this repository."""
    [commit] = [line for line in RECORDED.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    archive = subprocess.run(["git", "archive", commit, *SOURCES], cwd=ROOT, capture_output=True, check=True).stdout
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@contextmanager
def of_release(sources: Path) -> Iterator[None]:
    """What is started inside runs that release's service."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(str(sources / name) for name in SOURCES)
    try:
        found = subprocess.run(
            [sys.executable, "-P", "-c", "import strongroom_service; print(strongroom_service.__path__[0])"],
            capture_output=True,
            check=True,
            text=True,
        )
        assert Path(found.stdout.strip()).is_relative_to(sources)
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def replace_each(replicas: Replicas, clients: PatientClients, sources: Path) -> None:
    for vault in replicas.vaults:
        assert vault.stop() == 0
        clients.goes_on()
        with of_release(sources):
            vault.serve()
        assert runs_from(vault, sources)
        clients.goes_on()


def runs_from(vault: SteppedVault, sources: Path) -> bool:
    """Whether every child of the service was started with that release's code before all other."""
    return all(child.environ()["PYTHONPATH"].find(str(sources / "service")) > 0 for child in children_of(vault))


@pytest.mark.verify
def test_no_release_fails_while_replicas_go_from_the_release_before_to_this_one_and_back(
    replicas: Replicas, previous: Path
) -> None:
    with PatientClients(replicas, 4) as clients:
        clients.goes_on()
        replace_each(replicas, clients, previous)
        replace_each(replicas, clients, ROOT)
        replace_each(replicas, clients, previous)
        replace_each(replicas, clients, ROOT)
        clients.end()
        check(replicas, clients)
