from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape
from deploy.development.page_bundle import build_page
from deploy.development.page_server import PageServer
from deploy.development.stage import remove_tree
from deploy.development.vault_folder import free_ports
from tests.browser.chromium import Chromium
from tests.browser.place import Place, page_settings


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as it is built for people."""
    return build_page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def place(page_folder: Path) -> Iterator[Place]:
    """A vault that serves browsers, and the page. One for all tests of a worker: use fresh accounts."""
    folder = Path(tempfile.mkdtemp(prefix="web-")).resolve()
    [port] = free_ports(1)
    shape = VaultShape(keepers=1, origins=(f"http://localhost:{port}",), browser=True)
    try:
        with (
            DevelopmentVault.start(folder / "vault", shape=shape) as vault,
            PageServer(page_settings(vault, page_folder), port=port) as server,
        ):
            yield Place(vault=vault, origin=server.origin)
    finally:
        remove_tree(folder)


@pytest.fixture(scope="session")
def running_chromium() -> Iterator[Chromium]:
    """A browser."""
    with Chromium() as browser:
        yield browser


@pytest.fixture
def chromium(running_chromium: Chromium) -> Iterator[Chromium]:
    """A browser without a tab; those that a test opens, each in a profile of its own, are closed after it."""
    yield running_chromium
    running_chromium.close_tabs()
