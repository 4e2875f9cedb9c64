"""The watch on traffic sees what leaves: shown on a page that leaks, before it is believed of one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.leaking_page import WAYS, LeakingPage, leak
from tests.browser.traffic import Traffic

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
