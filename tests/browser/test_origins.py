"""The page at another address than the product's, or inside somebody else's page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deploy.development.environment import DevelopmentVault, VaultShape, make_files
from deploy.development.page_server import PageServer
from deploy.development.stage import remove_tree
from deploy.development.tenant import generate_tenant, write_tenant
from deploy.development.vault_folder import free_ports
from tests.browser.authenticators import add_authenticator
from tests.browser.chromium import Chromium
from tests.browser.other_pages import OtherPage
from tests.browser.person import Person
from tests.browser.place import Place, fresh_account, page_settings

_FRAMING = '<!doctype html><title>Prizes</title><h1>Prizes</h1><iframe allow="{allow}" src="{address}"></iframe>'
_ALLOWED = "publickey-credentials-get *; publickey-credentials-create *"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """One vault, and its page at three addresses.

    Attributes:
        place: the vault, and the page as it should be.
        careless: at another of the product's addresses, by a server that forgot to forbid framing.
        other_product: at that of another product of the same vault.
        unknown: at one that no tenant names.
    """

    place: Place
    careless: PageServer
    other_product: PageServer
    unknown: PageServer


@pytest.fixture(scope="module")
def addresses(page_folder: Path) -> Iterator[Addresses]:
    folder = Path(tempfile.mkdtemp(prefix="web-")).resolve()
    ports = free_ports(4)
    own, careless, other, _ = (f"http://localhost:{port}" for port in ports)
    try:
        files = make_files(folder / "vault", VaultShape(keepers=1, origins=(own, careless), browser=True))
        tenant = generate_tenant(name="other", issuer="https://login.other.example")
        write_tenant(tenant, files.folder / "tenants", origins=(other,))
        vault = DevelopmentVault(files)
        vault.init()
        with vault, ExitStack() as stack:
            vault.serve()
            settings = page_settings(vault, page_folder)
            servers = [
                stack.enter_context(PageServer(replace(settings, framed=place == 1), port=port))
                for place, port in enumerate(ports)
            ]
            place = Place(vault=vault, origin=servers[0].origin)
            yield Addresses(place=place, careless=servers[1], other_product=servers[2], unknown=servers[3])
    finally:
        remove_tree(folder)


@pytest.mark.verify
def test_vault_does_not_speak_to_a_page_at_an_address_that_no_tenant_names(
    chromium: Chromium, addresses: Addresses
) -> None:
    tab = chromium.new_tab()
    addresses.unknown.sign_everybody_in(fresh_account())
    tab.goto(addresses.unknown.origin + "/")
    tab.wait_text(
        "The vault does not answer Check your network and try again. If this page was opened at an unusual address,"
        " the vault does not speak to it: use the product's own address."
    )
    assert any("blocked by CORS policy" in complaint for complaint in tab.complaints)


@pytest.mark.verify
def test_page_at_another_products_address_asks_for_no_passkey(chromium: Chromium, addresses: Addresses) -> None:
    tab = chromium.new_tab()
    authenticator = add_authenticator(tab)
    addresses.other_product.sign_everybody_in(fresh_account())
    tab.goto(addresses.other_product.origin + "/")
    tab.wait_text(
        "This page was opened at an address that is not the product's Passkeys of this vault do not work here, and none"
        " was asked for."
    )
    assert authenticator.credentials() == []


@pytest.mark.verify
def test_page_does_not_let_itself_be_framed(chromium: Chromium, addresses: Addresses) -> None:
    with OtherPage(_FRAMING.format(allow=_ALLOWED, address=addresses.place.origin + "/")) as other:
        tab = chromium.new_tab()
        tab.goto(f"http://127.0.0.1:{other.port}/")
        tab.until(
            lambda: any("frame-ancestors 'none'" in complaint for complaint in tab.complaints), "the browser's refusal"
        )
        assert tab.text() == "Prizes"


@pytest.mark.verify
@pytest.mark.parametrize("framed", [True, False])
def test_passkey_used_inside_another_page_is_refused_by_the_vault(
    chromium: Chromium, addresses: Addresses, *, framed: bool
) -> None:
    tab = chromium.new_tab()
    add_authenticator(tab)
    account, address = fresh_account(), addresses.careless.origin + "/"
    addresses.careless.sign_everybody_in(account)
    with OtherPage(_FRAMING.format(allow=_ALLOWED, address=address)) as other:
        if framed:
            tab.goto(f"http://127.0.0.1:{other.port}/")
            tab = tab.frame(address)
        else:
            tab.goto(address)
        person = Person(place=addresses.place, tab=tab, account=account)
        person.keep_recovery_key()
        tab.click("button", "Create a passkey")
        tab.wait_text(
            "The vault did not accept your passkey Nothing was given out."
            if framed
            else "Your backups are protected, and the key was opened once"
        )
