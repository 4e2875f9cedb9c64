"""The browser library (clients/web) in node: its own tests, its operations over a running vault, and with this client.

Each program of clients/web/tests has many tests of its own; what is asserted here is that all of them ran.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.development.environment import DevelopmentVault
from strongroom_client.age_keys import recipient_of
from strongroom_client.archive.reader import extract_archive
from strongroom_client.archive.writer import write_archive
from strongroom_client.memory import AccountRef, decode_memory, encode_memory
from strongroom_client.receipts.log import ReceiptLog
from strongroom_client.recovery_key import parse_recovery_key
from strongroom_client.verification.kept_receipts import examine_receipts
from tests.fakes.resident import Resident

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "clients/web/tests"
NODE = Path(sys.executable).with_name("node")
NAMES = ("whole", "passkeys", "reset", "prf", "held", "two", "wrong", "renewed", "traffic", "hostile", "evidence")
FILES = {"notes/plan.txt": "plan \N{SNOWMAN}", "empty": "", "l" * 160: "long name"}


def told(vault: DevelopmentVault, *, prefix: str, names: tuple[str, ...]) -> dict[str, object]:
    """What clients/web/tests/live-vault.ts reads."""
    return {
        "baseUrl": vault.files.browser_url,
        "tenant": vault.tenant.name,
        "origin": "http://localhost",
        "pin": vault.files.identity_fingerprint,
        "prefix": prefix,
        "tokens": {name: vault.issue_token(prefix + name) for name in names},
        "resetTokens": {name: vault.issue_token(prefix + name, scope="vault reset") for name in names},
    }


def run(*arguments: str | Path, given: object = None) -> str:
    """Run node; whatever it says, it must end well."""
    ended = subprocess.run(
        [NODE, *arguments], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def passed(output: str) -> int:
    """Return how many tests passed; all must have run."""
    counts = dict(re.findall(r"^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$", output, re.MULTILINE))
    assert counts["tests"] == counts["pass"], output
    assert {counts[name] for name in ("fail", "cancelled", "skipped", "todo")} == {"0"}
    return int(counts["pass"])


def declared(*files: Path) -> int:
    """Return how many tests the files declare by themselves, not in a loop."""
    return sum(len(re.findall(r"^test\(", file.read_text("utf-8"), re.MULTILINE)) for file in files)


def interop(vault: DevelopmentVault, account: str, **task: object) -> Any:  # noqa: ANN401  JSON: each task says other things
    """Run a task of clients/web/tests/interop.ts for `account`."""
    given = told(vault, prefix="", names=(account,)) | {"name": account} | task
    return json.loads(run(TESTS / "interop.ts", given=given))


def test_vectors_and_archives_hold_in_node() -> None:
    files = sorted(TESTS.glob("*.test.ts"))
    assert {file.name for file in files} >= {"vectors.test.ts", "archive.test.ts"}
    assert passed(run("--test", "--test-reporter=tap", *files)) >= declared(*files) > 15


@pytest.mark.parametrize("program", ["live.ts", "hostile.ts", "evidence.ts"])
def test_every_operation_works_and_every_cheat_is_found(development_vault: DevelopmentVault, program: str) -> None:
    given = told(development_vault, prefix=f"web-{secrets.token_hex(6)}-", names=NAMES)
    output = run("--test-reporter=tap", TESTS / program, given=given)
    assert passed(output) >= declared(TESTS / program) > 2


@pytest.mark.verify
def test_archives_open_wherever_a_page_is_closed(development_vault: DevelopmentVault) -> None:
    names = tuple(f"killed-{number}" for number in range(150))
    given = told(development_vault, prefix=f"web-{secrets.token_hex(6)}-", names=names)
    assert passed(run("--test-reporter=tap", TESTS / "killed.ts", given=given)) == 5


def test_browser_restores_what_this_client_backed_up(development_vault: DevelopmentVault, tmp_path: Path) -> None:
    resident, source = Resident(development_vault, tmp_path), tmp_path / "source"
    content = {**{name: text.encode() for name, text in FILES.items()}, "noise": os.urandom(300_000)}
    for name, octets in content.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(octets)
        os.utime(source / name, ns=(0, 1_700_000_000_123_456_789))
    (source / "link").symlink_to("notes/plan.txt")
    content["holes"] = bytes(1 << 20) + b"data" + bytes(1 << 20)
    with (source / "holes").open("wb") as holes:
        holes.seek(1 << 20)
        holes.write(b"data")
        holes.truncate(len(content["holes"]))
    os.utime(source / "holes", ns=(0, 1_700_000_000_123_456_789))
    archive = tmp_path / "backup.age"
    with resident.client() as client:
        enrolled = client.enroll(resident.passkey(), user_name=resident.account)
        memory = client.memory
        assert memory.archive_recipient is not None
        assert memory.recovery_recipient is not None
        recipients = (memory.archive_recipient, memory.recovery_recipient)
        written = write_archive(source=source, target=archive, recipients=recipients, progress=None)
        assert written.bytes_read < 1 << 20  # the holes were left out
        memory = client.memory
    key = enrolled.recovery_key.reveal()
    found = interop(development_vault, resident.account, task="open", archive=str(archive), recoveryKey=key)
    restored = {name: (base64.b64decode(it[1]), it[2]) for name, it in found.items() if it[0] == "file"}
    assert restored == {name: (octets, 1_700_000_000_123) for name, octets in content.items()}
    assert found["link"][0] == "symlink"
    assert found["link"][3] == "notes/plan.txt"
    encoded = encode_memory(memory).decode()
    shown = json.loads(encoded) | {"vault": "test"}
    again = interop(development_vault, resident.account, task="memory", memory=json.dumps(shown))
    assert json.loads(again) == shown


def test_this_client_restores_what_a_browser_backed_up(development_vault: DevelopmentVault, tmp_path: Path) -> None:
    resident, archive = Resident(development_vault, tmp_path), tmp_path / "page.age"
    made = interop(development_vault, resident.account, task="make", archive=str(archive), files=FILES)
    with resident.client() as client:
        released = client.release_with_recovery_key(parse_recovery_key(made["recoveryKey"]))
        recipient = client.memory.archive_recipient
        assert client.examine_history() == ()
    extract_archive(archive=archive, target=tmp_path / "restored", identities=released.identities(), progress=None)
    restored = {name: (tmp_path / "restored" / name) for name in FILES}
    assert {name: path.read_text("utf-8") for name, path in restored.items()} == FILES
    assert {path.stat().st_mtime_ns for path in restored.values()} == {1_700_000_000_123_000_000}
    offline = (parse_recovery_key(made["recoveryKey"]).age_identity(),)
    extract_archive(archive=archive, target=tmp_path / "offline", identities=offline, progress=None)

    owner = AccountRef(vault="test", tenant=development_vault.tenant.name, account=resident.account)
    memory = decode_memory(made["memory"].encode(), owner=owner)
    assert memory.archive_recipient == recipient == recipient_of(released.identities()[0])
    assert memory.pins == resident.trust.pins
    log = tmp_path / "log"
    log.mkdir()
    (log / "receipts-000001.jsonl").write_text(made["receipts"], encoding="utf-8")
    lines = tuple(ReceiptLog(log).read())
    examined = examine_receipts(lines, pins=memory.pins, remembered=memory.position)
    assert examined.findings == ()
    assert examined.receipts == len(lines) > 4
