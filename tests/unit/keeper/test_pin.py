from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom_service.config import secret_file
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.token.pin import Pin, read_pin


def write(path: Path, content: bytes, mode: int = 0o400) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "pin"),
    [
        (b"1234", "1234"),
        (b"1234\n", "1234"),
        (b"1234\n\n", "1234\n"),
        (b" 1234 \n", " 1234 "),
        ("schlüssel\n".encode(), "schlüssel"),
        (b"x" * 256, "x" * 256),
        (b"x" * 256 + b"\n", "x" * 256),
    ],
)
def test_one_trailing_newline_is_not_part_of_the_pin(tmp_path: Path, content: bytes, pin: str) -> None:
    assert read_pin(write(tmp_path / "pin", content)).reveal() == pin


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 257, b"x" * 257 + b"\n", b"x" * 100_000, b"\xff\xfesecret"])
def test_unfit_content_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_pin(write(tmp_path / "pin", content))
    assert str(tmp_path / "pin") in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o402, 0o410, 0o401, 0o644, 0o660])
def test_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "pin", b"1234", mode)
    with pytest.raises(Misconfigured, match="can be used by group or others"):
        read_pin(path)
    path.chmod(0o600)
    assert read_pin(path).reveal() == "1234"


def test_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "pin", b"1234")
    stranger = os.geteuid() + 1
    # Changing the owner needs root, changing who we claim to be does not.
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    monkeypatch.setattr(secret_file, "_ROOT", stranger)
    with pytest.raises(Misconfigured, match="belongs to another user"):
        read_pin(path)


def test_file_of_root_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "pin", b"1234")
    monkeypatch.setattr(secret_file, "_ROOT", os.geteuid())
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    assert read_pin(path).reveal() == "1234"


def test_link_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path / "pin", b"1234"))
    with pytest.raises(Misconfigured, match="not a link"):
        read_pin(link)


def test_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    os.mkfifo(path, 0o400)
    with pytest.raises(Misconfigured, match="not a regular file"):
        read_pin(path)


def test_folder_and_absent_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not a regular file"):
        read_pin(tmp_path)
    with pytest.raises(Misconfigured, match="No such file"):
        read_pin(tmp_path / "absent")


def test_pin_hides_itself() -> None:
    pin = Pin("1234")
    assert "1234" not in f"{pin} {pin!r}"
