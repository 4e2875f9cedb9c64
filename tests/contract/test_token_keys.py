"""Making, finding and refusing keys, on SoftHSM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass, Session

from deploy.development.token import DevelopmentToken
from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose
from strongroom_service.keeper.token.provision import FIRST_KEYS, destroy_key, make_missing_keys
from strongroom_service.keeper.token.self_test import check_keys
from tests.fixtures.token import opened, writing

INDEX = KeyName(KeyPurpose.INDEX, NO_EPOCH)
KEK = KeyName(KeyPurpose.KEK, 1)


def make(session: Session, name: KeyName, **spoiled: object) -> None:
    """Make a secret key as `provision` would, but for the spoiled attributes."""
    attributes: dict[Attribute, Any] = {
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.ENCRYPT: True,
        Attribute.DECRYPT: True,
        **{Attribute[attribute]: value for attribute, value in spoiled.items()},
    }
    length = 8 * attributes.pop(Attribute.VALUE_LEN, 32)
    session.generate_key(
        KeyType.AES,
        length,
        label=name.label,
        store=True,
        capabilities=MechanismFlag(0),
        template=attributes,
    )


def test_init_makes_the_first_keys_once(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        made = make_missing_keys(session, known=())
    with opened(empty_token) as token:
        before = {name: token.check_value(purpose=name.purpose, epoch=name.epoch) for name in FIRST_KEYS}
    with writing(empty_token) as session:
        again = make_missing_keys(session, known=FIRST_KEYS)
    with opened(empty_token) as token:
        check_keys(token, before)
    assert made == [name.label for name in FIRST_KEYS]
    assert again == []


def test_init_takes_up_where_it_was_cut_short(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=FIRST_KEYS[:2])
        assert make_missing_keys(session, known=()) == [name.label for name in FIRST_KEYS[2:]]


@pytest.mark.parametrize("lost", FIRST_KEYS, ids=lambda name: name.label)
def test_init_never_remakes_a_key_that_the_vault_knows(empty_token: DevelopmentToken, lost: KeyName) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=())
        destroy_key(session, lost)
        with pytest.raises(Misconfigured, match=f"{lost.label} .*not remade"):
            make_missing_keys(session, known=FIRST_KEYS)
        assert not list(session.get_objects({Attribute.LABEL: lost.label}))


def test_init_makes_nothing_when_a_known_key_is_lost(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session, pytest.raises(Misconfigured, match="strongroom-kek-1"):
        make_missing_keys(session, known=(KEK,))
    with writing(empty_token) as session:
        assert not list(session.get_objects())


@pytest.mark.parametrize("half", [ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY])
def test_init_stops_at_half_a_key_pair(empty_token: DevelopmentToken, half: ObjectClass) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=())
        next(session.get_objects({Attribute.CLASS: half})).destroy()
        with pytest.raises(Misconfigured, match="strongroom-identity-1 is half there"):
            make_missing_keys(session, known=())


def test_init_refuses_a_foreign_key_under_our_label(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make(session, KEK, EXTRACTABLE=True)
        with pytest.raises(Misconfigured, match=r"strongroom-kek-1 .*EXTRACTABLE must be False"):
            make_missing_keys(session, known=())


def test_destroyed_key_is_gone_and_destroying_again_is_no_error(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=())
        for name in FIRST_KEYS:
            destroy_key(session, name)
            destroy_key(session, name)
        assert not list(session.get_objects())


SPOILED: Mapping[str, dict[str, object]] = {
    "EXTRACTABLE": {"EXTRACTABLE": True},
    "NEVER_EXTRACTABLE": {"EXTRACTABLE": True},
    "SENSITIVE": {"SENSITIVE": False},
    "ALWAYS_SENSITIVE": {"SENSITIVE": False},
    "PRIVATE": {"PRIVATE": False},
    "WRAP": {"WRAP": True},
    "UNWRAP": {"UNWRAP": True},
    "SIGN": {"SIGN": True},
    "VERIFY": {"VERIFY": True},
    "DERIVE": {"DERIVE": True},
    "DECRYPT": {"DECRYPT": False},
    "VALUE_LEN": {"VALUE_LEN": 16},
}


@pytest.mark.parametrize("attribute", SPOILED)
def test_key_with_a_wrong_attribute_is_refused_by_name(empty_token: DevelopmentToken, attribute: str) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=(INDEX,))
        make(session, KEK, **SPOILED[attribute])
    with opened(empty_token) as token, pytest.raises(Misconfigured, match=rf"strongroom-kek-1 .*\b{attribute} must be"):
        token.check_value(purpose=KeyPurpose.KEK, epoch=1)


def test_key_as_spoiled_by_nothing_is_accepted(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=(INDEX,))
        make(session, KEK)
    with opened(empty_token) as token:
        token.check_value(purpose=KeyPurpose.KEK, epoch=1)


def test_imported_key_is_refused(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=(INDEX,))
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.AES,
                Attribute.LABEL: KEK.label,
                Attribute.VALUE: bytes(32),
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.ENCRYPT: True,
                Attribute.DECRYPT: True,
            }
        )
    with opened(empty_token) as token, pytest.raises(Misconfigured, match=r"strongroom-kek-1 .*NEVER_EXTRACTABLE"):
        token.check_value(purpose=KeyPurpose.KEK, epoch=1)


def test_two_keys_under_one_label_are_refused(empty_token: DevelopmentToken) -> None:
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=(INDEX,))
        make(session, KEK)
        make(session, KEK)
    with opened(empty_token) as token, pytest.raises(Misconfigured, match=r"strongroom-kek-1 .*2 times"):
        token.wrap(epoch=1, plaintext=b"x", aad=b"y")


def test_public_half_of_another_pair_fails_the_self_test(empty_token: DevelopmentToken) -> None:
    identity = KeyName(KeyPurpose.IDENTITY, 1)
    foreign = KeyName(KeyPurpose.IDENTITY, 2)
    with writing(empty_token) as session:
        make_missing_keys(session, known=(), wanted=(INDEX, identity, foreign))
        [own] = session.get_objects({Attribute.LABEL: identity.label, Attribute.CLASS: ObjectClass.PUBLIC_KEY})
        own.destroy()
        [other] = session.get_objects({Attribute.LABEL: foreign.label, Attribute.CLASS: ObjectClass.PUBLIC_KEY})
        other[Attribute.LABEL] = identity.label
    with opened(empty_token) as token:
        check_value = token.check_value(purpose=KeyPurpose.IDENTITY, epoch=1)
        with pytest.raises(Misconfigured, match="strongroom-identity-1 signs what its public half does not verify"):
            check_keys(token, {identity: check_value})


def test_token_without_index_key_does_not_open(empty_token: DevelopmentToken) -> None:
    with pytest.raises(Misconfigured, match=r"strongroom-index .*missing"), opened(empty_token):
        pass
