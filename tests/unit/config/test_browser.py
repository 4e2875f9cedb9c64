from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from strongroom_service.config.browser import Browser
from strongroom_service.config.tenant_file import Tenants
from tests.fakes.tenant import FakeTenant

FOLDER, EVERYWHERE = Path("/etc/strongroom"), "0.0.0.0"  # noqa: S104  read, not bound to


def read(**fields: object) -> Browser:
    return Browser.model_validate({"host": EVERYWHERE, "port": 8443, **fields}, context={"folder": FOLDER})


def test_certificate_may_be_its_own_or_the_others() -> None:
    assert read().tls_certificate_file is None
    own = read(tls_certificate_file="web.pem", tls_key_file="/keys/web.pem")
    assert (own.tls_certificate_file, own.tls_key_file) == (FOLDER / "web.pem", Path("/keys/web.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1"])
def test_plain_text_stays_on_this_machine(host: str) -> None:
    assert read(host=host, plaintext=True).plaintext


@pytest.mark.parametrize(
    "host",
    [EVERYWHERE, "::", "192.0.2.1", "localhost", "localhost.example", "127.0.0.1.example", "127.1", "2130706433"],
)
def test_plain_text_for_others_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="plaintext needs a loopback address"):
        read(host=host, plaintext=True)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"tls_certificate_file": "web.pem"}, "go together"),
        ({"tls_key_file": "web.pem"}, "go together"),
        ({"host": "::1", "plaintext": True, "tls_certificate_file": "a", "tls_key_file": "b"}, "exclude each other"),
        ({"port": 0}, "port"),
        ({"origins": ["*"]}, "origins"),
    ],
)
def test_tables_that_say_two_things_are_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        read(**fields)


def test_pages_are_those_of_the_tenants_web_origins() -> None:
    tenant = FakeTenant().tenant()
    tenants = Tenants([tenant])
    [page] = [origin for origin in tenant.assertion_policy.origins if origin.startswith("https://")]
    assert tenants.allow_page(page)
    for other in (page.upper(), page + "/", page + ":443", page.replace("https", "http"), "null", "*", ""):
        assert not tenants.allow_page(other)


def test_app_is_no_page() -> None:
    """A passkey may be used in it, but nothing that says so is a browser."""
    app = "android:apk-key-hash:" + "A" * 43
    assert not Tenants([FakeTenant(origins=frozenset({app})).tenant()]).allow_page(app)
