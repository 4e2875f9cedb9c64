"""`strongroom receipts` against the vault in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from strongroom_client.receipts.format import Dropped, encode_line
from tests.fakes.device import Device


def log_of(device: Device) -> Path:
    (path,) = (device.state / "memory").glob("*/receipts-000001.jsonl")
    return path


def test_receipts_are_listed_and_verified_off_line(device: Device) -> None:
    device.enroll()
    calls = len(device.vault.calls)
    listed = device.at_vault("receipts", "list")
    kinds = [line.split()[3] for line in listed.stdout.splitlines()]
    assert kinds == ["get-service-info", "get-vault", "register", "store", "release"]
    verified = device.at_vault("receipts", "verify")
    assert (verified.returncode, verified.stdout) == (0, "5 receipts, all sound.\n")
    assert len(json.loads(device.at_vault("receipts", "list", "--output", "json").stdout)) == 5
    found = json.loads(device.at_vault("receipts", "verify", "--output", "json").stdout)
    assert found["history"] is None
    assert found["examination"] == {"receipts": 5, "dropped": 0, "cut_short": 0, "findings": []}
    assert len(device.vault.calls) == calls


def test_changed_receipt_is_named_and_fails(device: Device) -> None:
    device.enroll()
    log = log_of(device)
    lines = log.read_text().splitlines()
    lines[3] = lines[3].replace('"version": 2', '"version": 3')
    log.write_text("\n".join(lines) + "\n")
    verified = device.at_vault("receipts", "verify")
    assert verified.returncode == 9
    assert "receipts-000001.jsonl:4: wrong-signature" in verified.stdout
    assert "NOT SOUND" in verified.stdout
    found = json.loads(device.at_vault("receipts", "verify", "--output", "json").stdout)
    assert "wrong-signature" in [finding["flaw"] for finding in found["examination"]["findings"]]


def test_receipts_of_another_vault_prove_nothing(device: Device) -> None:
    device.enroll()
    path = device.state / "strongroom.toml"
    path.write_text(path.read_text().replace(device.vault.keys.fingerprint.hex(), "00" * 32))
    verified = device.at_vault("receipts", "verify")
    assert verified.returncode == 9
    assert "identity-key-not-pinned" in verified.stdout


def test_without_a_pin_receipts_are_said_to_prove_nothing(device: Device) -> None:
    path = device.state / "strongroom.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("pins")]
    path.write_text("\n".join(["unpinned = true", *lines]))
    assert device.at_vault("status").returncode == 0
    verified = device.at_vault("receipts", "verify")
    assert verified.returncode == 1
    assert "receipts prove nothing" in verified.stderr
    listed = device.at_vault("receipts", "list")
    assert listed.returncode == 0
    assert "get-vault" in listed.stdout
    assert "receipts prove nothing" in listed.stderr


def test_history_that_has_all_receipts_is_said_to(device: Device) -> None:
    device.enroll()
    compared = device.at_vault("receipts", "verify", "--history")
    assert compared.returncode == 0, compared.stdout
    assert "has all of them" in compared.stdout


def test_what_the_vault_forgot_is_named_although_the_device_stops_for_it(device: Device) -> None:
    device.enroll()
    chain = device.vault.record.chain
    device.vault.record = replace(
        device.vault.record, version=2, chain=chain[:3], events=device.vault.record.events[:2]
    )
    assert device.at_vault("status").returncode == 5
    compared = device.at_vault("receipts", "verify", "--history")
    assert compared.returncode == 9
    assert "forgotten-by-the-vault" in compared.stdout
    assert "version-fell" in compared.stdout
    document = json.loads(device.at_vault("receipts", "verify", "--history", "--output", "json").stdout)
    assert [finding["flaw"] for finding in document["history"]] == ["forgotten-by-the-vault"]


def test_acceptance_of_an_older_vault_is_kept_among_the_receipts(device: Device) -> None:
    device.enroll()
    older = device.vault.record
    assert device.at_vault("history").returncode == 0
    chain = older.chain
    device.vault.record = replace(older, version=2, chain=chain[:3], events=older.events[:2])
    assert device.at_vault("status").returncode == 5
    assert device.at_vault("receipts", "verify").returncode == 9
    assert device.at_vault("accept-older-vault", "--yes").returncode == 0
    verified = device.at_vault("receipts", "verify")
    assert verified.returncode == 0
    assert "(accepted by you)" in verified.stdout
    assert "you accepted that the vault is at version 2" in device.at_vault("receipts", "list").stdout


def test_notes_between_receipts_are_shown(device: Device) -> None:
    device.enroll()
    log = log_of(device)
    with log.open("ab") as file:
        file.write(b'{"cut')
    assert device.at_vault("status").returncode == 0
    dropped = Dropped(segment=7, lines=12, last=bytes(32))
    with log.open("ab") as file:
        file.write(encode_line(dropped, previous=bytes(32)) + b"\nnonsense\n")
    listed = device.at_vault("receipts", "list").stdout
    for said in ("cut short by a crash", "12 older lines were dropped", "cannot be read"):
        assert said in listed
    verified = device.at_vault("receipts", "verify")
    assert verified.returncode == 9
    for said in ("12 older lines were dropped", "1 lines were cut short", "unreadable", "line-missing-or-changed"):
        assert said in verified.stdout
