"""`make web`: the page with the development vault, as it is started."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, find_files
from deploy.development.run import PAGE_ORIGIN
from deploy.development.stage import remove_tree
from tests.browser.chromium import Chromium
from tests.browser.person import Person
from tests.browser.place import Place
from tests.integration.program import PATIENCE_SECONDS, Program


@pytest.mark.verify
@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_page_is_up_and_protects(chromium: Chromium) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="run-test-")).resolve()
    try:
        with Program("deploy.development.run", "--page", str(scratch / "vault"), place=scratch) as program:
            program.read_until(f"The page is at {PAGE_ORIGIN}")
            place = Place(vault=DevelopmentVault(find_files(scratch / "vault")), origin=PAGE_ORIGIN)
            person = Person(place=place, tab=chromium.new_tab(), account="alice")
            person.sign_in()
            person.protect()
            os.killpg(program.pid, signal.SIGINT)
            assert program.end() == (0, "")
    finally:
        remove_tree(scratch)
