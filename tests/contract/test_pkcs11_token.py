"""What only a real token shows: derivation with a known key, loss of the token, the thread, the PIN."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from pkcs11 import Attribute, KeyType, ObjectClass

from deploy.development.token import DevelopmentToken, create_development_token
from strongroom_service.domain.errors import Fault, Misconfigured, TokenFault
from strongroom_service.keeper.token.pin import Pin, read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token, derive_with
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose
from strongroom_service.keeper.token.provision import make_missing_keys
from strongroom_service.keeper.token.session import open_session
from tests.fakes.token import FakeToken
from tests.fixtures.token import writing

ROOT = Path(__file__).resolve().parents[2]
VECTORS: list[dict[str, str]] = json.loads((ROOT / "tests/vectors/kbkdf.json").read_text(encoding="utf-8"))["cases"]
INDEX = KeyName(KeyPurpose.INDEX, NO_EPOCH)


@pytest.mark.parametrize("case", VECTORS, ids=range(len(VECTORS)))
def test_derivation_in_the_token_is_kbkdf(empty_token: DevelopmentToken, case: dict[str, str]) -> None:
    value, context = bytes.fromhex(case["key"]), bytes.fromhex(case["context"])
    with writing(empty_token) as session:
        imported: Any = session.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
                Attribute.VALUE: value,
                Attribute.SIGN: True,
                Attribute.TOKEN: False,
            }
        )
        in_token = derive_with(imported, label=case["label"], context=context)
    fake = FakeToken()
    fake.import_key(INDEX, value)
    in_software = KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=case["label"].encode("ascii"),
        context=context,
        fixed=None,
    ).derive(value)
    assert in_token.hex() == case["derived"]
    assert in_software == in_token
    assert fake.derive(purpose=KeyPurpose.INDEX, epoch=NO_EPOCH, label=case["label"], context=context) == in_token


PREPARE = """
import os, shutil, sys
from pathlib import Path
import pkcs11
from strongroom_service.keeper.token.pin import read_pin
from strongroom_service.keeper.token.pkcs11_token import Pkcs11Token
from strongroom_service.keeper.token.port import KeyPurpose
from strongroom_service.keeper.token.provision import make_missing_keys
from strongroom_service.keeper.token.session import writable_session

module, label, pin = Path(sys.argv[1]), sys.argv[2], read_pin(Path(sys.argv[3]))
with writable_session(module=module, token_label=label, pin=pin) as session:
    make_missing_keys(session, known=())
token = Pkcs11Token.open(module=module, token_label=label, pin=pin)
wrapped = token.wrap(epoch=1, plaintext=b"x", aad=b"y")
"""
ATTEMPTS = """
for attempt in (
    lambda: token.unwrap(epoch=1, wrapped=wrapped, aad=b"y"),
    lambda: token.unwrap(epoch=1, wrapped=wrapped, aad=b"changed"),
    lambda: token.wrap(epoch=1, plaintext=b"x", aad=b"y"),
    lambda: token.derive(purpose=KeyPurpose.SEAL, epoch=1, label="label", context=b""),
    token.probe,
):
    try:
        attempt()
        print("answered")
    except Exception as error:
        print(type(error).__name__)
"""
LOSSES = {
    "module finalised": "pkcs11.lib(str(module)).finalize()",
    "session closed": "token._session.close()",
    "files deleted": "shutil.rmtree(Path(os.environ['SOFTHSM2_CONF']).parent / 'tokens')",
}


def outcomes(token: DevelopmentToken, loss: str) -> list[str]:
    """Open the token in a process of its own, lose it there, and return what each attempt came to."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + loss + ATTEMPTS, token.module_path, token.label, token.pin_file],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        env={**os.environ, "SOFTHSM2_CONF": str(token.conf_path)},
    )
    return done.stdout.split()


@pytest.mark.parametrize("loss", LOSSES)
def test_lost_token_is_the_tokens_fault_and_never_the_records(tmp_path: Path, loss: str) -> None:
    token = create_development_token(directory=tmp_path, label="lost")
    assert outcomes(token, "") == ["answered", "RecordRejected", "answered", "answered", "answered"]
    assert outcomes(token, LOSSES[loss]) == ["TokenFault"] * 5


def test_another_thread_is_refused_before_it_reaches_the_module(softhsm_token: Pkcs11Token) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            softhsm_token.probe()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert [str(error) for error in caught] == ["the token belongs to the thread that opened it"]


def open_failing(token: DevelopmentToken, pin: Pin, *, label: str | None = None, module: Path | None = None) -> Fault:
    with pytest.raises(Fault) as caught:
        Pkcs11Token.open(module=module or token.module_path, token_label=label or token.label, pin=pin)
    return caught.value


def test_wrong_pin_is_reported_without_the_pin_and_tried_once(
    empty_token: DevelopmentToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = Pin("open sesame, please")
    logins: list[Pin] = []
    reveal = Pin.reveal

    def counted(shown: Pin) -> str:
        logins.append(shown)
        return reveal(shown)

    monkeypatch.setattr(Pin, "reveal", counted)
    fault = open_failing(empty_token, pin)
    assert isinstance(fault, Misconfigured)
    assert "PIN refused by the token (PinIncorrect)" in str(fault)
    assert logins == [pin]
    # With the locals of every frame, as error reporters print them, but for the frames of this test.
    report = traceback.TracebackException.from_exception(fault, capture_locals=True)
    shown = [str(frame.locals) for frame in report.stack if "strongroom_service" in frame.filename]
    assert len(shown) > 2
    assert "sesame" not in "".join([*shown, str(fault), repr(fault), repr(pin), str(fault.__cause__)])


def test_absent_token_and_absent_module_are_named(empty_token: DevelopmentToken, tmp_path: Path) -> None:
    pin = read_pin(empty_token.pin_file)
    no_token = open_failing(empty_token, pin, label="nowhere")
    no_module = open_failing(empty_token, pin, module=tmp_path / "absent.so")
    assert (type(no_token), "nowhere" in str(no_token)) == (TokenFault, True)
    assert (type(no_module), "absent.so" in str(no_module)) == (TokenFault, True)


def test_failed_opening_leaves_no_login_behind(empty_token: DevelopmentToken) -> None:
    pin = read_pin(empty_token.pin_file)
    for _ in range(2):
        assert "strongroom-index" in str(open_failing(empty_token, pin))


def test_reading_session_cannot_make_keys(empty_token: DevelopmentToken) -> None:
    session = open_session(
        module=empty_token.module_path,
        token_label=empty_token.label,
        pin=read_pin(empty_token.pin_file),
        writable=False,
    )
    try:
        with pytest.raises(Misconfigured, match="SessionReadOnly"):
            make_missing_keys(session, known=())
    finally:
        session.close()
