from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from tests.fakes.client import CountingAuthenticator, EnrolledDevice, FakeMemory, client_of
from tests.fakes.device import Device, device_in
from tests.fakes.front import CheatingFront
from tests.fakes.vault import ACCOUNT, FakeVault


@pytest.fixture
def enrolled(tmp_path: Path) -> EnrolledDevice:
    """After an honest enrollment: the front may cheat from here on, and prompts count from zero."""
    vault, memory = FakeVault(), FakeMemory()
    authenticator = CountingAuthenticator(InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys"))
    client_of(vault, memory=memory).enroll(authenticator, user_name=ACCOUNT)
    authenticator.prompts = 0
    return EnrolledDevice(vault, CheatingFront(vault), memory, authenticator)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with device_in(tmp_path) as device:
        yield device
