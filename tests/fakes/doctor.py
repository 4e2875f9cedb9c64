"""A device with nothing wrong but that it is for tests, and what `strongroom doctor` says of it."""

from __future__ import annotations

import base64
import json
import time

from strongroom_client.age_keys import generate_identity, recipient_of
from strongroom_client.authenticators.software_state import SoftwareState
from strongroom_client.cli.configuration import load_configuration
from strongroom_client.memory import AccountMemory
from strongroom_client.memory_folder import MemoryFolder
from tests.fakes.device import Device


def token(**claims: object) -> str:
    made = {"iss": "acme", "sub": "alice", "exp": time.time() + 600, **claims}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, made, {})]
    return ".".join(parts)


def make_healthy(device: Device) -> None:
    """Have `device` look as if it was enrolled: without doing it, which takes a while."""
    configuration = load_configuration(device.state)
    owner, recipient = configuration.settings.owner, recipient_of(generate_identity())
    with MemoryFolder(configuration.memory_root, owner=owner) as folder:
        known = AccountMemory(owner=owner, archive_recipient=recipient, recovery_recipient=recipient)
        folder.keep(known, entry=None)
    SoftwareState(device.state / "passkeys.json").save(())
    (device.state / "token").write_text(token())
    (device.state / "token").chmod(0o600)
    device.state.chmod(0o700)


def found_by(device: Device) -> tuple[int, dict[str, dict[str, str]]]:
    done = device.at_vault("doctor", "--output", "json")
    findings = json.loads(done.stdout)["findings"]
    assert len({finding["check"] for finding in findings}) == len(findings)
    for finding in findings:
        assert bool(finding["remedy"]) == (finding["outcome"] in {"fail", "warn"}), finding
    return done.returncode, {finding["check"]: finding for finding in findings}


def edit(device: Device, old: str, new: str) -> None:
    path = device.state / "strongroom.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
