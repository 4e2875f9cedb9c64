"""Who may not come between a browser's page and the command that waits for its answer."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from strongroom_client.authenticators.browser_handover import ask_to_create
from strongroom_client.authenticators.browser_listener import MAX_BODY_BYTES, BrowserListener, Refused
from strongroom_client.authenticators.port import (
    Attestation,
)
from strongroom_client.authenticators.software import InsecureSoftwareAuthenticator
from tests.fakes.browser_page import BrowserPage, asked_in, b64, form, post, sealed
from tests.fakes.browser_scene import CHALLENGE, ORIGIN, PAGE, PRF_INPUT, Scene, browser_of, create


@pytest.fixture
def software(tmp_path: Path) -> InsecureSoftwareAuthenticator:
    return InsecureSoftwareAuthenticator(state_path=tmp_path / "passkeys.json")


@pytest.fixture
def page(software: InsecureSoftwareAuthenticator) -> BrowserPage:
    return BrowserPage(software, ORIGIN)


@pytest.fixture
def scene(page: BrowserPage) -> Scene:
    return Scene(page)


ATTACKS: dict[str, tuple[dict[str, str | None], int]] = {
    "a name that was rebound to 127.0.0.1": ({"Host": "evil.example"}, 421),
    "the same with our port": ({"Host": "evil.example:{port}"}, 421),
    "localhost is another name": ({"Host": "localhost:{port}"}, 421),
    "another port": ({"Host": "127.0.0.1:1"}, 421),
    "no host": ({"Host": None}, 421),
    "a page of another origin": ({"Origin": "https://evil.example"}, 403),
    "an origin that begins alike": ({"Origin": "https://vault.example.evil.example"}, 403),
    "the same host without TLS": ({"Origin": "http://vault.example"}, 403),
    "another port of the host": ({"Origin": "https://vault.example:444"}, 403),
    "a sandboxed frame": ({"Origin": "null"}, 403),
    "no origin: not a browser": ({"Origin": None}, 403),
    "a script's fetch": ({"Sec-Fetch-Mode": "cors"}, 403),
    "a script's fetch that wants no answer": ({"Sec-Fetch-Mode": "no-cors"}, 403),
    "a frame": ({"Sec-Fetch-Dest": "iframe"}, 403),
    "a form of another kind": ({"Content-Type": "text/plain"}, 415),
    "JSON": ({"Content-Type": "application/json"}, 415),
    "chunks without an end": ({"Transfer-Encoding": "chunked"}, 415),
    "no length": ({"Content-Length": None}, 411),
    "a length that is none": ({"Content-Length": "-1"}, 411),
    "a length that is too long": ({"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
    "a length of many digits": ({"Content-Length": "9" * 5000}, 413),
    "another path": ({"path": "/"}, 404),
    "our path and more": ({"path": "/strongroom/v1/answer?x=1"}, 404),
    "another method": ({"method": "GET"}, 405),
    "a method that is none": ({"method": "OPTIONS"}, 501),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_right_answer_by_the_wrong_way_is_refused(attack: str, scene: Scene) -> None:
    headers, status = ATTACKS[attack]
    with scene.under_way() as port:
        changed = {name: value and value.replace("{port}", str(port)) for name, value in headers.items()}
        reply = post(port, form(sealed(scene.asked, scene.answer())), **changed)
        assert reply.status == status
        assert "evil" not in reply.text
        assert not any(name.lower().startswith("access-control") for name in reply.headers)


def test_control_right_answer_by_the_right_way_is_heard(scene: Scene) -> None:
    """What the test above sends is refused for its way alone."""
    with browser_of(scene.open) as authenticator:
        ceremony = threading.Thread(target=scene.run, args=(authenticator,))
        ceremony.start()
        scene.wait()
        poster = threading.Thread(target=post, args=(scene.asked["port"], form(sealed(scene.asked, scene.answer()))))
        poster.start()
        ceremony.join(30)
    poster.join(30)
    assert [type(one) for one in scene.result] == [Attestation]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "get"},
        {"v": 2},
        {"more": 1},
        {"credential_id": ""},
        {"credential_id": "AAA="},
        {"credential_id": "AAB"},
        {"credential_id": 7},
        {"credential_id": "A" * 1400},
        {"prf_output": b64(b"short")},
        {"prf_output": True},
        {"transports": "usb"},
        {"transports": [1]},
        {"client_data_json": b64(json.dumps({"challenge": b64(b"x" * 32)}).encode())},
        {"client_data_json": b64(b"[]")},
        {"client_data_json": b64(b"[" * 9000)},
    ],
)
def test_what_is_not_the_answer_is_refused_and_the_page_still_heard(wrong: dict[str, Any], scene: Scene) -> None:
    with scene.under_way() as port:
        assert post(port, form(sealed(scene.asked, scene.answer(**wrong)))).status == 403


def test_who_does_not_know_the_key_answers_nothing(scene: Scene) -> None:
    with scene.under_way() as port:
        for key in (b"k" * 32, b"\0" * 32):
            other = {**scene.asked, "key": b64(key)}
            assert post(port, form(sealed(other, scene.answer()))).status == 403
        other = {**scene.asked, "challenge": b64(b"x" * 32)}
        assert post(port, form(sealed(other, scene.answer()))).status == 403, "sealed for another ceremony"
        for body in ("", "sealed=", "sealed=%00", "other=AAAA", "sealed=AAAA&sealed=AAAA", "sealed=====", "\u00e9"):
            assert post(port, body, Content_Length=str(len(body.encode()))).status in {400, 403}
        assert post(port, form(b"")).status in {400, 403}


def test_connections_that_say_nothing_keep_nobody_waiting(scene: Scene) -> None:
    silent: list[socket.socket] = []
    try:
        with scene.under_way() as port:
            silent += [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
            silent[0].sendall(b"POST /strongroom/v1/answer HTTP/1.1\r\nContent-Length: 9\r\n")
            silent[1].sendall(b"\0\1\2 nonsense\r\n\r\n")
    finally:
        for connection in silent:
            connection.close()


def test_answer_is_taken_once(scene: Scene) -> None:
    """Even before the command has come to look at the first."""
    handover = ask_to_create(
        rp_id="vault.example",
        challenge=CHALLENGE,
        user_handle=b"u" * 32,
        user_name="alice",
        algorithms=(-7,),
        exclude=(),
        prf_input=PRF_INPUT,
    )
    with closing(BrowserListener(origin=ORIGIN)) as listener:
        asked = asked_in(f"{PAGE}#{handover.fragment(port=listener.port)}")
        listener.expect(handover, link="unused")
        answer = f"sealed={b64(sealed(asked, scene.answer()))}".encode()
        listener.take(answer).is_gone.set()
        with pytest.raises(Refused, match="Nothing waits"):
            listener.take(answer)


def test_answer_of_the_last_ceremony_does_not_fit_the_next(page: BrowserPage, scene: Scene) -> None:
    with browser_of(page.open) as authenticator:
        create(authenticator)
    old = form(sealed(page.seen[0], scene.answer()))
    with scene.under_way() as port:
        assert post(port, old).status == 403


def test_nobody_listens_any_more_when_it_is_closed(page: BrowserPage) -> None:
    with browser_of(page.open) as authenticator:
        create(authenticator)
    page.wait()
    with pytest.raises(ConnectionRefusedError):
        post(page.seen[0]["port"], "")


def test_only_this_machine_is_listened_to(scene: Scene) -> None:
    with scene.under_way() as port, pytest.raises(ConnectionRefusedError), socket.socket() as elsewhere:
        elsewhere.connect(("127.0.0.2", port))
