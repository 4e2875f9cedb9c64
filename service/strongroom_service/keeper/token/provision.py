"""Making and destroying keys: ceremonies of the operator, with the service stopped.

A key that the vault's own sealed state says exists is never made again: everything under the lost one would look like
tampering, and a new key under the old label would hide the loss.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session

from strongroom_service.domain.errors import Misconfigured
from strongroom_service.keeper.token.errors import translated
from strongroom_service.keeper.token.keys import KEY_BITS, find_key, find_objects, object_classes, template
from strongroom_service.keeper.token.port import NO_EPOCH, KeyName, KeyPurpose, Profile

_NO_DEFAULTS: Final = MechanismFlag(0)  # the templates state every use themselves

FIRST_KEYS: Final = (
    KeyName(KeyPurpose.KEK, 1),
    KeyName(KeyPurpose.SEAL, 1),
    KeyName(KeyPurpose.TRANSPORT, 1),
    KeyName(KeyPurpose.IDENTITY, 1),
    KeyName(KeyPurpose.INDEX, NO_EPOCH),
)
"""What `strongroomd init` makes."""


def make_missing_keys(
    session: Session,
    *,
    known: Collection[KeyName],
    wanted: Sequence[KeyName] = FIRST_KEYS,
    profile: Profile = Profile.GCM,
) -> list[str]:
    """Make those `wanted` keys that the token lacks and return their labels; a second run makes none.

    Args:
        session: writable and logged in, see `writable_session`.
        known: the keys that the vault's sealed state says exist; empty for a new vault.
        wanted: the keys to end up with.
        profile: how KEKs that are made now will wrap, see `offer.choose_profile`; one that is there keeps its own.

    Raises:
        Misconfigured: a known key is not in the token (nothing is made then), half of a key pair is there, or a key is
            not fit; names label and attribute.
        TokenFault: the token failed. Keys made before stay, and the next run takes them up.
    """
    for name in known:
        _require_known(session, name)
    made = []
    for name in wanted:
        if not _is_there(session, name):
            _generate(session, name, profile)
            made.append(name.label)
        for object_class in object_classes(name.purpose):
            find_key(session, name, object_class)
    return made


def destroy_key(session: Session, name: KeyName) -> None:
    """Destroy every object of a key. What only this key opens is gone for good, from every copy.

    Running it again is no error, so that an interrupted destruction can be finished.

    Raises:
        Misconfigured: the token does not let go of the key.
        TokenFault: the token failed; parts may be left.
    """
    for object_class in object_classes(name.purpose):
        for found in find_objects(session, name, object_class):
            with translated(f"destruction of {name.label}"):
                found.destroy()
        if find_objects(session, name, object_class):
            raise Misconfigured(f"key {name.label} ({object_class.name}) is still in the token after its destruction")


def _require_known(session: Session, name: KeyName) -> None:
    if _is_there(session, name):
        return
    raise Misconfigured(
        f"key {name.label} exists by this vault's state and is missing from the token; it is not remade"
    )


def _is_there(session: Session, name: KeyName) -> bool:
    present = [bool(find_objects(session, name, object_class)) for object_class in object_classes(name.purpose)]
    if any(present) and not all(present):
        raise Misconfigured(f"key {name.label} is half there: its making was cut short, remove the other half")
    return all(present)


def _generate(session: Session, name: KeyName, profile: Profile) -> None:
    with translated(f"generation of {name.label}"):
        if name.purpose is KeyPurpose.IDENTITY:
            session.generate_keypair(
                KeyType.EC,
                label=name.label,
                store=True,
                capabilities=_NO_DEFAULTS,
                mechanism=Mechanism.EC_KEY_PAIR_GEN,
                public_template=template(name.purpose, ObjectClass.PUBLIC_KEY),
                private_template=template(name.purpose, ObjectClass.PRIVATE_KEY),
            )
            return
        wanted = template(name.purpose, ObjectClass.SECRET_KEY, profile)
        key_type = wanted[Attribute.KEY_TYPE]
        session.generate_key(
            key_type,
            KEY_BITS,
            label=name.label,
            store=True,
            capabilities=_NO_DEFAULTS,
            mechanism=Mechanism.AES_KEY_GEN if key_type is KeyType.AES else Mechanism.GENERIC_SECRET_KEY_GEN,
            template=wanted,
        )
