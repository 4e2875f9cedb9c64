"""What each token offers, which profile follows, and where tokens differ from what is asked: one table, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, Session

from deploy.development.token import DevelopmentToken
from strongroom_service.domain.errors import Misconfigured, RecordRejected
from strongroom_service.keeper.token.keys import find_key, object_classes
from strongroom_service.keeper.token.offer import Offer, choose_profile, probe_offer
from strongroom_service.keeper.token.port import KeyName, KeyPurpose, Profile
from strongroom_service.keeper.token.provision import destroy_key, make_missing_keys
from tests.fixtures.nss import NssToken
from tests.fixtures.token import opened, writing

KEK: Final = KeyName(KeyPurpose.KEK, 7)
# What a token does not do although it should, each with what it does instead. A token that has come to do it fails the
# test as well: the table, and docs/tokens.md, are then to be corrected.
EXCEPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "softhsm": frozenset(),
    "nss": frozenset(
        {
            "gcm",  # lists AES_GCM, and fails at it through python-pkcs11
            "always sensitive",  # says ALWAYS_SENSITIVE of a key made readable
        }
    ),
}


@contextmanager
def writable(kind: str, request: pytest.FixtureRequest) -> Iterator[Session]:
    if kind == "softhsm":
        spare: DevelopmentToken = request.getfixturevalue("empty_token")
        with writing(spare) as session:
            yield session
        return
    # NSS has one token a process, whose login is that of its keeper: sessions without PIN share it.
    request.getfixturevalue("nss_token")
    nss: NssToken = request.getfixturevalue("nss")
    with nss.beside() as session:
        yield session


def make(session: Session, **spoiled: bool) -> None:
    wanted: dict[Attribute, Any] = {
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: True,
        **{Attribute[name]: value for name, value in spoiled.items()},
    }
    session.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        label=KEK.label,
        store=True,
        capabilities=MechanismFlag(0),
        mechanism=Mechanism.GENERIC_SECRET_KEY_GEN,
        template=wanted,
    )


def refusal_of(session: Session) -> str:
    """Why the one KEK is refused; empty if it is taken. It is destroyed."""
    try:
        find_key(session, KEK, *object_classes(KEK.purpose))
    except Misconfigured as error:
        return str(error)
    finally:
        destroy_key(session, KEK)
    return ""


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_tokens_differ_as_declared_and_in_nothing_else(kind: str, request: pytest.FixtureRequest) -> None:
    differs = set()
    with writable(kind, request) as session:
        offer = probe_offer(session)
        differs |= {profile.value for profile in offer.unfit}
        make(session, SENSITIVE=False)
        refused = refusal_of(session)
        assert "SENSITIVE must be True and is False" in refused
        if "ALWAYS_SENSITIVE" not in refused:
            differs.add("always sensitive")
    assert offer.missing == ()
    assert differs == EXCEPTIONS[kind]


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("spoiled", ["EXTRACTABLE", "VERIFY", "DERIVE"])
def test_generic_kek_with_a_wrong_attribute_is_refused_by_name(
    kind: str, spoiled: str, request: pytest.FixtureRequest
) -> None:
    with writable(kind, request) as session:
        make(session)
        assert refusal_of(session) == ""
        make(session, **{spoiled: True})
        assert f"{spoiled} must be False and is True" in refusal_of(session)


@pytest.mark.parametrize(("kind", "chosen"), [("softhsm", Profile.GCM), ("nss", Profile.DERIVED)])
def test_probe_picks_the_profile_and_leaves_nothing_behind(
    kind: str, chosen: Profile, request: pytest.FixtureRequest
) -> None:
    with writable(kind, request) as session:
        before = len(list(session.get_objects()))
        assert choose_profile(probe_offer(session), wanted="auto") is chosen
        assert choose_profile(probe_offer(session), wanted="derived") is Profile.DERIVED
        assert len(list(session.get_objects())) == before


def test_profile_that_the_token_cannot_is_named(request: pytest.FixtureRequest) -> None:
    with writable("nss", request) as session, pytest.raises(Misconfigured, match=r"pkcs11\.profile gcm: .* gcm: "):
        choose_profile(probe_offer(session), wanted="gcm")


def test_token_that_offers_neither_profile_is_refused() -> None:
    offer = Offer(key_sizes={}, unfit={Profile.GCM: "no AES", Profile.DERIVED: "no HMAC"})
    with pytest.raises(Misconfigured, match=r"pkcs11\.profile auto: .*gcm: no AES; derived: no HMAC"):
        choose_profile(offer, wanted="auto")


def test_wraps_of_both_profiles_open_beside_each_other(empty_token: DevelopmentToken) -> None:
    """A vault that changes its profile: the old epoch keeps its own, and says so by its key's type."""
    old, new = KeyName(KeyPurpose.KEK, 1), KeyName(KeyPurpose.KEK, 2)
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), profile=Profile.GCM)
    with opened(empty_token) as token:
        kept = token.wrap(epoch=old.epoch, plaintext=b"old", aad=b"place")
    with writing(empty_token) as session:
        assert make_missing_keys(session, known=(old,), wanted=(old, new), profile=Profile.DERIVED) == [new.label]
    with opened(empty_token) as token:
        fresh = token.wrap(epoch=new.epoch, plaintext=b"new", aad=b"place")
        assert (kept.mechanism, fresh.mechanism) == ("aes-gcm", "derived-aes-gcm")
        assert token.unwrap(epoch=old.epoch, wrapped=kept, aad=b"place") == b"old"
        assert token.unwrap(epoch=new.epoch, wrapped=fresh, aad=b"place") == b"new"
        with pytest.raises(RecordRejected, match="name another"):
            token.unwrap(epoch=old.epoch, wrapped=fresh, aad=b"place")
