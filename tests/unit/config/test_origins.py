from __future__ import annotations

import pytest

from strongroom_service.config.origins import check_origin, check_rp_id

HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize(
    "origin",
    [
        "https://notes.example",
        "https://notes.example:8443",
        "https://app.notes.example",
        "https://a.b-c.notes.example:1",
        f"android:apk-key-hash:{HASH}",
    ],
)
def test_exact_origin_at_or_below_the_rp_id_is_accepted(origin: str) -> None:
    check_origin(origin, rp_id="notes.example", development=False)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "https://notes.example/",
        "https://notes.example/path",
        "https://notes.example?x",
        "https://notes.example#x",
        "https://user@notes.example",
        "https://notes.example:443",
        "https://notes.example:0",
        "https://notes.example:08443",
        "https://notes.example:65536",
        "https://notes.example:",
        "https://notes.example:８443",  # noqa: RUF001  a full-width digit, on purpose
        "https://Notes.example",
        "HTTPS://notes.example",
        "https://notes.example.",
        "https://evil.example",
        "https://evilnotes.example",
        "https://notes.example.evil",
        "https://.notes.example",
        "https://a..notes.example",
        "https://-a.notes.example",
        "https://*.notes.example",
        "https://nötes.example",
        " https://notes.example",
        "https://notes.example\n",
        "http://notes.example",
        "http://localhost",
        "http://localhost:8080",
        "null",
        "notes.example",
        "android:apk-key-hash:",
        f"android:apk-key-hash:{HASH}=",
        f"android:apk-key-hash:{HASH[:-1]}",
        f"android:apk-key-hash:{HASH[:-1]}V",
        f"android:apk-key-hash:{HASH.replace('-', '+')}",
        f"android:apk-key-hash-sha256:{HASH}",
        "ios:bundle-id:example",
    ],
)
def test_origin_that_no_client_sends_or_that_is_elsewhere_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="must "):
        check_origin(origin, rp_id="notes.example", development=False)


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:8080", "https://localhost:8443"])
def test_localhost_is_accepted_in_development(origin: str) -> None:
    check_origin(origin, rp_id="localhost", development=True)


@pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:8080"])
def test_localhost_over_http_is_refused_outside_of_development(origin: str) -> None:
    with pytest.raises(ValueError, match="development = true"):
        check_origin(origin, rp_id="localhost", development=False)


@pytest.mark.parametrize("origin", ["http://localhost:80", "http://127.0.0.1", "http://a.localhost", "http://[::1]"])
def test_nothing_but_localhost_is_localhost(origin: str) -> None:
    with pytest.raises(ValueError, match="must "):
        check_origin(origin, rp_id="localhost", development=True)


def test_localhost_is_no_origin_of_another_rp_id_even_in_development() -> None:
    with pytest.raises(ValueError, match="rp_id"):
        check_origin("http://localhost", rp_id="notes.example", development=True)


@pytest.mark.parametrize("rp_id", ["notes.example", "a.b.c-d.example", "xn--ntes-5qa.example", "1.example"])
def test_domain_is_a_rp_id(rp_id: str) -> None:
    check_rp_id(rp_id, development=False)


@pytest.mark.parametrize(
    "rp_id",
    [
        "",
        "example",
        "Notes.example",
        "notes.example.",
        ".notes.example",
        "https://notes.example",
        "notes.example:443",
        "192.0.2.1",
        "nötes.example",
        "notes_x.example",
        "notes.example\n",
        f"{64 * 'a'}.example",
        f"{'a.' * 125}example",
        "localhost",
    ],
)
def test_what_is_no_domain_is_no_rp_id(rp_id: str) -> None:
    with pytest.raises(ValueError, match=r"must be a domain|localhost"):
        check_rp_id(rp_id, development=False)


def test_localhost_is_a_rp_id_in_development() -> None:
    check_rp_id("localhost", development=True)
