"""The watch on traffic sees what leaves: shown on a page that leaks, before it is believed of one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.leaking_page import WAYS, LeakingPage, leak
from tests.browser.net_log import bytes_sent, forms_found, net_log_flags
from tests.browser.person import Person
from tests.browser.place import Place
from tests.browser.traffic import Traffic
from tests.browser.trees import make_tree

QUICK = {"raw", "json", "shifted", "worker"}


@pytest.fixture(scope="module")
def leaking_page() -> Iterator[LeakingPage]:
    with LeakingPage() as page:
        yield page


@pytest.mark.parametrize("way", [way if way in QUICK else pytest.param(way, marks=pytest.mark.verify) for way in WAYS])
def test_leak_is_caught(chromium: Chromium, leaking_page: LeakingPage, way: str) -> None:
    tab = chromium.new_tab()
    add_authenticator(tab)
    traffic = Traffic(tab)
    tab.goto(leaking_page.address)
    tab.evaluate(leak(way))
    tab.until(traffic.leaks, f"a leak by {way}")
    assert len(traffic.secrets()) == 1


@pytest.mark.verify
def test_no_byte_that_the_browser_put_on_a_socket_is_of_a_prf_result(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "net-log.json"
    with Chromium(*net_log_flags(log)) as browser:
        person = Person.arrives(browser, place)
        traffic = Traffic(person.tab)
        person.sign_in_again()
        person.protect()
        archive = person.back_up(make_tree(tmp_path / "mine"), into=tmp_path / "saved")
        person.take_another_device()
        person.restore(archive, into=tmp_path / "restored")
        secrets = traffic.secrets()
        browser.end()
    sent = bytes_sent(log)
    assert sent.count(b"POST /strongroom.v1.VaultService/ReleaseEnvelope ") == 2, "at enrollment, and to restore"
    assert len(secrets) == 1
    assert forms_found(log, secrets) == set()


@pytest.mark.verify
def test_browsers_own_log_holds_what_leaks(leaking_page: LeakingPage, tmp_path: Path) -> None:
    log = tmp_path / "net-log.json"
    secrets: set[bytes] = set()
    with Chromium(*net_log_flags(log)) as browser:
        for way in ("raw", "hex", "json", "beacon"):
            tab = browser.new_tab()
            add_authenticator(tab)
            traffic = Traffic(tab)
            tab.goto(leaking_page.address)
            tab.evaluate(leak(way))
            tab.until(traffic.leaks, f"a leak by {way}")
            secrets |= traffic.secrets()
        browser.end()
    assert forms_found(log, secrets) >= {"raw", "hex", "base64url +0"}
