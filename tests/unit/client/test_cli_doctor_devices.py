"""`strongroom doctor` about authenticators, archives and tools."""

from __future__ import annotations

import stat
import webbrowser
from pathlib import Path

import pytest
from fido2.hid import CAPABILITY, CtapHidDevice

from strongroom_client.authenticators.software_device import SoftwareDevice
from strongroom_client.authenticators.software_state import SoftwareState
from tests.fakes.device import Device
from tests.fakes.doctor import edit, found_by, make_healthy


@pytest.fixture
def healthy(device: Device) -> Device:
    make_healthy(device)
    return device


class OldKey(SoftwareDevice):
    """Knows U2F only."""

    @property
    def capabilities(self) -> int:
        return CAPABILITY.NMSG


class SilentKey(SoftwareDevice):
    """Is there, and answers nothing."""

    def call(self, *_: object, **__: object) -> bytes:
        raise OSError


def key(kind: type[SoftwareDevice], *, has_prf: bool = True) -> SoftwareDevice:
    state = SoftwareState(Path("/nowhere"))
    return kind(state=state, has_prf=has_prf, prf_at_creation=False, backup_eligible=False)


@pytest.mark.parametrize(
    ("devices", "outcome", "said"),
    [
        ([key(SoftwareDevice)], "ok", "1 security keys"),
        ([key(OldKey)], "fail", "U2F only"),
        ([key(SilentKey)], "fail", "does not answer"),
        ([key(SoftwareDevice, has_prf=False)], "fail", "no PRF"),
        ([key(SoftwareDevice), key(OldKey)], "fail", "U2F only"),
    ],
)
def test_security_keys_are_looked_at(
    devices: list[SoftwareDevice], outcome: str, said: str, healthy: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CtapHidDevice, "list_devices", lambda: iter(devices))
    edit(healthy, '[authenticator]\nkind = "software-insecure"\nfile = "passkeys.json"\n', "")
    _, found = found_by(healthy)
    assert found["authenticator"]["outcome"] == outcome
    assert said in found["authenticator"]["found"]


def test_security_key_that_is_not_there_or_not_to_be_opened(
    healthy: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(CtapHidDevice, "list_devices", lambda: iter(()))
    monkeypatch.setattr("strongroom_client.cli.doctor.devices._HIDRAW", tmp_path / "dev")
    edit(healthy, '[authenticator]\nkind = "software-insecure"\nfile = "passkeys.json"\n', "")
    assert found_by(healthy)[1]["authenticator"]["outcome"] == "warn"
    (tmp_path / "dev" / "hidraw0").mkdir(parents=True)  # what nobody can open for writing, root neither
    found = found_by(healthy)[1]["authenticator"]
    assert (found["outcome"], "hidraw0" in found["found"], "udev" in found["remedy"]) == ("fail", True, True)


def test_browser_is_looked_for(healthy: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[authenticator]\nkind = "software-insecure"\nfile = "passkeys.json"\n'
    edit(healthy, text, 'browser_page = "https://vault.example/x"\norigin = "https://vault.example"\n')
    path = healthy.state / "strongroom.toml"
    path.write_text(path.read_text() + '[authenticator]\nkind = "browser"\n')
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    assert found_by(healthy)[1]["authenticator"]["outcome"] == "ok"
    edit(healthy, 'origin = "https://vault.example"', 'origin = "https://vault.example.org"')
    assert found_by(healthy)[1]["authenticator"]["outcome"] == "fail"

    def missing() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", missing)
    assert "no browser" in found_by(healthy)[1]["authenticator"]["found"]


def test_archives_that_cannot_be_made_are_told(healthy: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(healthy.state / "absent"))
    code, found = found_by(healthy)
    assert (code, found["archives"]["outcome"]) == (9, "fail")


def test_tools_that_are_missing_are_named(healthy: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("age", "zstd", "tar"):
        program = tmp_path / tool
        program.write_text(f"#!/bin/sh\necho '{tool} v1.2.3'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found_by(healthy)[1]["archive_tools"]["found"] == "age 1.2.3, zstd 1.2.3, tar 1.2.3"
    (tmp_path / "age").unlink()
    found = found_by(healthy)[1]["archive_tools"]
    assert (found["outcome"], "age is not here" in found["found"]) == ("warn", True)
