"""Which relying party ids and origins a tenant may name. Origins are compared as text, so each has one spelling.

An origin that no client can send, such as one with a trailing slash, would be a passkey that never works; one outside
of the RP ID would be somebody else's site.
"""

from __future__ import annotations

import base64
import re

LOCALHOST = "localhost"
_MAX_DOMAIN_LENGTH = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
_WEB_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>[1-9]\d{0,4}))?", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_PORT = 65_535
_ANDROID = "android:apk-key-hash:"
_ANDROID_HASH = re.compile(r"[A-Za-z0-9_-]{43}")


def check_rp_id(rp_id: str, *, development: bool) -> None:
    """Accept a domain in lower case (internationalised ones as xn--), or localhost in development.

    Raises:
        ValueError: the rule that it broke.
    """
    if rp_id == LOCALHOST:
        if not development:
            message = "localhost is for a tenant with development = true only"
            raise ValueError(message)
        return
    if len(rp_id) > _MAX_DOMAIN_LENGTH or not _DOMAIN.fullmatch(rp_id):
        message = "must be a domain such as example.org: lower case, no scheme, port or final dot, no IP address"
        raise ValueError(message)


def check_origin(origin: str, *, rp_id: str, development: bool) -> None:
    """Accept https on the RP ID or below, an Android app, or http://localhost in development.

    Raises:
        ValueError: the rule that it broke.
    """
    if origin.startswith(_ANDROID):
        _check_android(origin.removeprefix(_ANDROID))
        return
    match = _WEB_ORIGIN.fullmatch(origin)
    if match is None:
        message = "must be https://host[:port] in lower case, without path or final slash, or android:apk-key-hash:..."
        raise ValueError(message)
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if port is not None and (int(port) > _MAX_PORT or int(port) == _DEFAULT_PORTS[scheme]):
        message = f"must name a port up to {_MAX_PORT}, and leave the default port out, as browsers do"
        raise ValueError(message)
    if scheme == "http" and not (development and host == LOCALHOST):
        message = "must be https; http is for localhost, of a tenant with development = true, only"
        raise ValueError(message)
    if host != rp_id and not (host.endswith(f".{rp_id}") and _DOMAIN.fullmatch(host)):
        message = "must have rp_id, or a domain below it, as its host: a passkey of that RP ID works nowhere else"
        raise ValueError(message)


def _check_android(key_hash: str) -> None:
    # base64url of 32 bytes has 43 characters, of which the last carries 4 bits: other spellings are never sent.
    canonical = _ANDROID_HASH.fullmatch(key_hash) is not None and (
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(f"{key_hash}=")).decode().rstrip("=") == key_hash
    )
    if not canonical:
        message = "must be android:apk-key-hash: and SHA-256 of the app's signing certificate in base64url, no padding"
        raise ValueError(message)
