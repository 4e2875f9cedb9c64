"""`strongroomd events verify --keeper`: what is wrong with an event has its own name once a keeper opens it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from tests.fakes.hand_client import HandClient
from tests.integration.service.evidence import Copy, copied, strongroomd


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentVault]:
    """Two accounts with six events each."""
    with DevelopmentVault.start(tmp_path_factory.mktemp("vault"), shape=VaultShape(keepers=2)) as vault:
        for _ in range(2):
            with HandClient(vault) as client:
                client.enroll()
                for _ in range(4):
                    client.release()
        yield vault


@pytest.fixture
def copy(vault: DevelopmentVault) -> Iterator[Copy]:
    with copied(vault.files, f"copy-{os.urandom(4).hex()}") as copy:
        yield copy


def test_honest_database_has_no_findings(vault: DevelopmentVault) -> None:
    said = strongroomd(vault.files.config_file, "events", "verify", "--keeper")
    assert (said.code, said.errors, said.lines) == (0, "", ["2 records, 12 events, 0 findings."])


def flipped(copy: Copy, record_id: bytes, version: int) -> None:
    sealed = bytearray(copy.event(record_id, version))
    sealed[100] ^= 1
    copy.put_event(record_id, version, bytes(sealed))


def of_first(copy: Copy) -> bytes:
    return copy.record_ids()[0]


def of_second(copy: Copy) -> bytes:
    return copy.record_ids()[1]


def moved(copy: Copy) -> None:
    """The event of version 3 stands at 5; 3 is empty, and what was at 5 is gone."""
    copy.put_event(of_first(copy), 5, copy.event(of_first(copy), 3))
    copy.remove_events(of_first(copy), above=2, below=4)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(lambda each: flipped(each, of_first(each), 3), ["altered: version 3"], id="altered"),
        pytest.param(
            lambda each: each.exchange((of_first(each), 3), (of_first(each), 4)),
            ["reordered: version 3", "reordered: version 4"],
            id="reordered",
        ),
        pytest.param(
            lambda each: each.exchange((of_first(each), 3), (of_second(each), 5)),
            ["swapped: version 3", "swapped: version 5"],
            id="swapped between records",
        ),
        pytest.param(moved, ["removed: version 3", "reordered: version 5"], id="moved"),
        pytest.param(
            lambda each: each.remove_events(of_first(each), above=2, below=4), ["removed: version 3"], id="removed"
        ),
        pytest.param(lambda each: each.remove_events(of_first(each), above=4), ["cut: version 5"], id="cut"),
        pytest.param(
            lambda each: each.put_event(of_first(each), 7, each.event(of_first(each), 6)),
            ["inserted: version 7"],
            id="inserted above the row",
        ),
        pytest.param(
            lambda each: each.put_row(of_first(each), (6, each.row(of_second(each))[1])),
            ["row altered: version 6"],
            id="another record's row",
        ),
    ],
)
def test_what_is_wrong_is_named(copy: Copy, spoil: Callable[[Copy], None], expected: list[str]) -> None:
    spoil(copy)
    said = strongroomd(copy.config_file, "events", "verify", "--keeper")
    assert said.errors == ""
    named = [f"{line.split(':')[0]}: version {line.split(' version ')[1].split(':')[0]}" for line in said.lines[:-1]]
    assert (said.code, named) == (1, expected)


def test_command_without_a_service_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    vault = DevelopmentVault.start(tmp_path_factory.mktemp("stopped"), shape=VaultShape(keepers=1))
    vault.stop()
    said = strongroomd(vault.files.config_file, "events", "verify", "--keeper")
    assert said.code == 1
    assert "is the service running?" in said.errors
