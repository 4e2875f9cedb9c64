"""CBOR as CTAP2 demands it: one encoding per value, so that no two parsers can read the same bytes differently."""

from __future__ import annotations

from collections.abc import Mapping

from fido2 import cbor

from strongroom_service.keeper.webauthn.refusals import not_verified, refusing_malformed


def decode_first_map(part: str, encoded: bytes) -> tuple[Mapping[object, object], bytes, bytes]:
    """Decode the map at the head of `encoded`; return it, its own bytes and what follows it.

    python-fido2's decoder takes duplicate keys, long integer forms, unsorted keys and strings cut short; only bytes
    that encode again to themselves have none of these (CTAP 2.1 section 8).

    Raises:
        Refusal: NOT_VERIFIED: not CBOR, not canonical, or not a map.
    """
    with refusing_malformed(part):
        value, rest = cbor.decode_from(encoded)
        own = encoded[: len(encoded) - len(rest)]
        if cbor.encode(value) != own:
            raise not_verified(f"{part}: not canonical CBOR")
    if not isinstance(value, Mapping):
        raise not_verified(f"{part}: not a map")
    return value, own, rest


def decode_only_map(part: str, encoded: bytes) -> Mapping[object, object]:
    """Decode `encoded`, which must be one canonical map and nothing else.

    Raises:
        Refusal: NOT_VERIFIED.
    """
    value, _, rest = decode_first_map(part, encoded)
    if rest:
        raise not_verified(f"{part}: bytes after the map")
    return value
