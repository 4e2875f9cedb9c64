"""How a command ends that fails: what is said, to people and to programs, and its exit code."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
import typer
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from strongroom_client.archive import errors as archive_errors
from strongroom_client.authenticators.port import AuthenticatorError, NoMatchingCredential
from strongroom_client.cli import configuration
from strongroom_client.cli.exit_codes import MEANINGS, ExitCode
from strongroom_client.cli.explanations import explain
from strongroom_client.cli.main import app
from strongroom_client.cli.output import Output
from strongroom_client.cli.recovery_keys import recovery_key_to_hand_over
from strongroom_client.errors import AccountTokenMissing, DeviceError, MemoryFault, ReceiptInvalid, Unavailable
from strongroom_client.rpc_errors import translate
from strongroom_service.domain.errors import Reason
from tests.fakes.device import Device

ROOT = Path(__file__).resolve().parents[3]
CODES_OF_REASONS = {
    "TOKEN_REJECTED": 6,
    "BEGIN_AGAIN": 3,
    "CEREMONY_EXPIRED": 3,
    "COOLING_DOWN": 3,
    "VAULT_CLOSED": 3,
    "RELEASE_QUOTA": 3,
    "RATE_LIMITED": 3,
    "BUSY": 3,
    "UNAVAILABLE": 3,
    "RECORD_REJECTED": 3,
    "INTERNAL": 3,
    "OUTCOME_UNKNOWN": 4,
}


class Failed(grpc.RpcError):
    """A failed call whose status has these details."""

    def __init__(self, status: grpc.Status) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> Any:  # noqa: ANN401  gRPC's own type for it has no name outside
        return self._status.trailing_metadata


def failed_for(reason: str) -> Failed:
    details = [any_pb2.Any(), any_pb2.Any()]
    details[0].Pack(error_details_pb2.ErrorInfo(reason=reason, domain="strongroom"))
    details[1].Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=90)))
    return Failed(rpc_status.to_status(status_pb2.Status(code=9, message="not repeated", details=details)))


@pytest.mark.parametrize("reason", [reason.value for reason in Reason])
def test_every_reason_of_the_vault_is_told_in_words_with_advice(reason: str) -> None:
    told = explain(translate(failed_for(reason)))
    assert "the vault refused" not in told.said
    assert " " in told.said
    assert told.advice
    assert "not repeated" not in told.text
    assert told.reason in {reason, ""}
    assert told.exit_code == CODES_OF_REASONS.get(reason, 1)


def test_reason_of_a_newer_vault_is_named_and_not_explained() -> None:
    told = explain(translate(failed_for("TEAPOT")))
    assert "TEAPOT" in told.said
    assert "too old" in told.advice
    assert told.exit_code == 1


def test_how_long_to_wait_is_told() -> None:
    told = explain(translate(failed_for("COOLING_DOWN")))
    assert told.retry_after_seconds == 90
    assert "wait 90 s" in told.said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AccountTokenMissing("x"), 6),
        (Unavailable("x"), 3),
        (ReceiptInvalid("x"), 5),
        (MemoryFault("x"), 1),
        (DeviceError("x"), 1),
        (AuthenticatorError("x"), 7),
        (NoMatchingCredential("x"), 7),
        (archive_errors.ArchiveLocked("x"), 8),
        (archive_errors.ArchiveDamaged("x"), 8),
        (archive_errors.RefusedEntry(entry="x", rule="y"), 8),
        (archive_errors.TargetUnfit("x"), 1),
    ],
)
def test_errors_of_this_device_end_with_their_codes(error: Exception, code: int) -> None:
    assert explain(error).exit_code == code


def test_page_has_the_same_exit_codes() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    rows = {int(code): said for code, said in re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)}
    assert rows == {int(code): said for code, said in MEANINGS.items()}
    assert set(MEANINGS) == set(ExitCode)


def test_page_has_the_configuration_as_it_is_read() -> None:
    said = configuration.__doc__ or ""
    table = said[said.index("    vault =") : said.index("Relative paths")].rstrip()
    assert table in (ROOT / "docs/command-line.md").read_text()


def commands(command: object, path: str = "strongroom") -> Iterator[tuple[str, list[str]]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, [option for parameter in getattr(command, "params", ()) for option in parameter.opts]
        return
    for name, one in inner.items():
        yield from commands(one, f"{path} {name}")


def test_every_command_takes_output_for_programs() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 15
    assert [path for path, options in found.items() if "--output" not in options] == []


def test_version_is_said(device: Device) -> None:
    assert device.run("--version").stdout == f"strongroom {version('strongroom')}\n"


class Terminal(io.StringIO):
    """Standard output that a person reads."""

    def isatty(self) -> bool:
        return True


def test_recovery_key_is_shown_to_people_and_never_in_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    assert len(recovery_key_to_hand_over(None, output=Output.TEXT).reveal().split()) > 8
    with pytest.raises(typer.BadParameter, match="say where"):
        recovery_key_to_hand_over(None, output=Output.JSON)


def test_failure_is_one_document_for_programs(device: Device) -> None:
    refused = device.at_vault("delete", "--yes", "--output", "json")
    assert refused.returncode == 1
    error = json.loads(refused.stdout)["error"]
    assert (error["kind"], error["reason"], error["exit_code"]) == ("NoVault", "NO_VAULT", 1)
    assert "strongroom enroll" in error["advice"]
    (device.state / "token").unlink()
    signed_out = device.at_vault("status", "--output", "json")
    assert signed_out.returncode == 6
    assert json.loads(signed_out.stdout)["error"]["kind"] == "AccountTokenMissing"


def test_success_is_one_document_for_programs(device: Device, tmp_path: Path) -> None:
    out = device.state / "key"
    enrolled = device.at_vault("enroll", "--user-name", "alice", "--recovery-key-out", out, "--output", "json")
    assert json.loads(enrolled.stdout) == {"archive_version": 2, "recovery_key_file": str(out)}
    (tmp_path / "folder").mkdir()
    made = device.at_vault("backup", tmp_path / "folder", tmp_path / "archive", "--output", "json")
    assert json.loads(made.stdout)["summary"]["files"] == 0
    limits = device.at_vault("limits", "--output", "json")
    assert json.loads(limits.stdout)["policy"]["budget"] == 10
