"""From the release before to this one, and back, replica by replica under load: no call is lost, none turned away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.stepped_vault import ROOT, SteppedVault, children_of
from tests.fixtures.releases import of_release, unpack_previous_release
from tests.fixtures.replicas import Replicas
from tests.integration.replicas.test_rolling_restart import PatientClients, check


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_previous_release(tmp_path_factory.mktemp("previous"))


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
@pytest.mark.timeout(600)  # sixteen services end and begin, each as patiently as its callers
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
