"""After everything ran wrong: refusals of all kinds, secrets in fields where they do not belong, a token that fails,
dead processes, a spoilt database, a refused PIN. What the callers were told, the logs and the metrics hold none of it.

Each search also looks for something that must be there, by the same means, so that it cannot pass by being blind.
"""

from __future__ import annotations

import base64
import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.development.environment import DevelopmentVault
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import USER_VERIFIED, Forgery
from tests.fakes.stepped_vault import front_of, keepers_of, until
from tests.integration.faults.test_lost_token import DEVICE_ERROR, PIN_INCORRECT, TROUBLE, FaultyVault, answers
from tests.integration.misplaced_secrets import ARCHIVE_KEY, ENVELOPE, Answers, misplace, misplace_everywhere
from tests.integration.test_secrecy import found_in


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is left after it all."""

    told: Answers
    log: bytes
    fulfilled: bytes
    metrics: bytes
    needles: Mapping[str, bytes]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with TemporaryDirectory(prefix="secrecy-") as folder, FaultyVault.begin(Path(folder)) as vault:
        told = Answers()
        with HandClient(vault) as client:
            client.enroll(ENVELOPE)
            needles = needles_of(vault, client)
            refuse(client, told)
            misplace(client, told)
            misplace_everywhere(client, told)
            trouble_token(vault, client, told)
            kill(vault, client)
            spoil_database(vault, client, told)
            assert client.release() == [ENVELOPE]  # after all that it is whole
            metrics = metrics_of(vault)
            refuse_pin(vault, client, told)
        yield Scene(
            told=told,
            log=vault.log_file.read_bytes(),
            fulfilled=(vault.files.folder / "keeper" / "fulfilled.log").read_bytes(),
            metrics=metrics,
            needles=needles,
        )


def needles_of(vault: DevelopmentVault, client: HandClient) -> Mapping[str, bytes]:
    token = client.metadata[0][1].removeprefix("Bearer ").encode()
    return {
        "archive key": ARCHIVE_KEY,
        "envelope": ENVELOPE[:33],
        "pin": (vault.files.folder / "token" / "development.pin").read_bytes().strip(),
        "account": client.account.encode(),
        "account token": token,
        "token's signature": token.rpartition(b".")[2],
        "credential id": client.passkey.credential_id,
        "credential key": client.passkey.cose_key[-32:],
        "user handle": client.passkey.user_handle,
    }


def refuse(client: HandClient, told: Answers) -> None:
    """Judged and refused: wrong signatures, policy, and a counter that would go back."""
    for forgery in (
        Forgery(unsigned=True),
        Forgery(client_data={"origin": f"https://{ARCHIVE_KEY.decode().lower()}.example"}),
        Forgery(clear_flags=USER_VERIFIED),
        Forgery(client_data_json=ARCHIVE_KEY),
        Forgery(client_data_json=b"\xff" + ARCHIVE_KEY),
        Forgery(trailing=ARCHIVE_KEY),
        Forgery(client_data={"type": ARCHIVE_KEY.decode()}),
    ):
        told.by(partial(client.release, forgery))


def trouble_token(vault: FaultyVault, client: HandClient, told: Answers) -> None:
    """Each kind of trouble where a release meets it, and a hanging token."""
    for function, code in (("C_Sign", "GENERAL_ERROR"), ("C_Decrypt", "GENERAL_ERROR"), ("*", "DEVICE_ERROR")):
        vault.module.fail(function, TROUBLE[code], last=1)
        attempt(client, told)
        recover(vault, client)
    vault.module.stall("C_Decrypt")
    attempt(client, told)
    until(lambda: vault.logged("child_silent"), "the keeper is killed for its silence")
    recover(vault, client)


def attempt(client: HandClient, told: Answers) -> None:
    """A release that the trouble may spoil or not."""
    try:
        assert client.release() == [ENVELOPE]
    except Told as error:
        told.keep(error)


def recover(vault: FaultyVault, client: HandClient) -> None:
    vault.module.heal()
    until(lambda: vault.is_serving() and answers(client), "the service is back by itself")


def kill(vault: FaultyVault, client: HandClient) -> None:
    [keeper] = keepers_of(vault)
    keeper.kill()
    until(lambda: not keeper.is_running(), "the keeper is gone")
    recover(vault, client)
    front = front_of(vault)
    front.kill()
    until(lambda: not front.is_running(), "the front is gone")
    recover(vault, client)


def spoil_database(vault: FaultyVault, client: HandClient, told: Answers) -> None:
    """A row that was altered, by somebody who knew whom it is about."""
    path = vault.files.folder / "data" / "vault.db"
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        [(sealed,)] = connection.execute("SELECT sealed FROM records").fetchall()
        for spoilt in (sealed[:-40] + ARCHIVE_KEY[:40], ARCHIVE_KEY):
            connection.execute("UPDATE records SET sealed = ?", (spoilt,))
            connection.commit()
            told.by(client.vault_reply)
        connection.execute("UPDATE records SET sealed = ?", (sealed,))
        connection.commit()


def metrics_of(vault: DevelopmentVault) -> bytes:
    with urllib.request.urlopen(vault.files.metrics_url, timeout=5) as page:  # noqa: S310  our own http URL
        text: bytes = page.read()
    return text


def refuse_pin(vault: FaultyVault, client: HandClient, told: Answers) -> None:
    """The last: it ends the service."""
    vault.module.obey(f"C_Sign 1 0 {DEVICE_ERROR:x}", f"C_Login 1 0 {PIN_INCORRECT:x}")
    told.by(client.service_info)
    until(vault.ended, "the parent gives up")


def test_callers_were_told_nothing_of_what_they_or_others_keep_secret(scene: Scene) -> None:
    assert found_in(bytes(scene.told.whole), scene.needles) == set()
    assert {
        "NOT_VERIFIED",
        "INVALID_FIELD",
        "CEREMONY_REJECTED",
        "TOKEN_REJECTED",
        "RECORD_REJECTED",
        "UNAVAILABLE",
    } <= scene.told.reasons
    assert all(reason.encode() in scene.told.whole for reason in scene.told.reasons)


def test_logs_hold_nothing_of_it(scene: Scene) -> None:
    assert found_in(scene.log, scene.needles) == set()
    assert found_in(scene.fulfilled, scene.needles) == set()
    for event in ("keeper_refused", "keeper_fault", "keeper_lost", "child_ended", "child_silent", "giving_up"):
        assert f'"event": "{event}"'.encode() in scene.log


def test_metrics_hold_nothing_of_it(scene: Scene) -> None:
    assert found_in(scene.metrics, scene.needles) == set()
    assert b"strongroom_stale_records_total 2.0" in scene.metrics


def test_searches_would_find_it(scene: Scene) -> None:
    """The control: the same texts with each secret in it once, as it is, in hex, and in base64."""
    for text in (bytes(scene.told.whole), scene.log, scene.fulfilled, scene.metrics):
        for name, needle in scene.needles.items():
            assert name in found_in(text + needle, scene.needles)
            assert f"{name} in hex" in found_in(text + needle.hex().encode(), scene.needles)
            assert f"{name} in base64" in found_in(base64.b64encode(needle) + text, scene.needles)
