"""What each key must be, and finding it so.

Templates are wishes: tokens have been seen to make an extractable key where a sensitive one was asked for. Attributes
are therefore read back, after generation and whenever a key is found, and a wrong one stops the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pkcs11 import Attribute, KeyType, ObjectClass, Session
from pkcs11.types import Object
from pkcs11.util.ec import encode_named_curve_parameters

from strongroom_service.domain.errors import Misconfigured, TokenFault
from strongroom_service.keeper.token.errors import translated
from strongroom_service.keeper.token.port import KeyName, KeyPurpose, Profile

KEY_BITS: Final = 256
P256_PARAMETERS: Final = encode_named_curve_parameters("secp256r1")

# A key with two uses breaks both: wrap, then decrypt (Clulow, CHES 2003).
_USES: Final = (
    Attribute.ENCRYPT,
    Attribute.DECRYPT,
    Attribute.SIGN,
    Attribute.VERIFY,
    Attribute.WRAP,
    Attribute.UNWRAP,
    Attribute.DERIVE,
)
# What python-pkcs11 offers on a key for these uses.
_METHODS: Final[Mapping[Attribute, str]] = {
    Attribute.ENCRYPT: "encrypt",
    Attribute.DECRYPT: "decrypt",
    Attribute.SIGN: "sign",
}
_PRIVATE_USES: Final = (Attribute.DECRYPT, Attribute.SIGN, Attribute.UNWRAP, Attribute.DERIVE, Attribute.SIGN_RECOVER)
_PUBLIC_USES: Final = (Attribute.ENCRYPT, Attribute.VERIFY, Attribute.WRAP, Attribute.VERIFY_RECOVER)

# Asked for in the template of every secret or private key.
STAYS_INSIDE: Final[Mapping[Attribute, Any]] = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}
# Set by the token alone: the key was made inside and was never otherwise. An imported key shows False.
_ALWAYS_INSIDE: Final[Mapping[Attribute, Any]] = {
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.NEVER_EXTRACTABLE: True,
}


def _uses(possible: tuple[Attribute, ...], *allowed: Attribute) -> dict[Attribute, bool]:
    return {use: use in allowed for use in possible}


_ON_CURVE: Final[Mapping[Attribute, Any]] = {
    Attribute.KEY_TYPE: KeyType.EC,
    Attribute.EC_PARAMS: P256_PARAMETERS,
}
_HMAC_KEY: Final[Mapping[Attribute, Any]] = {
    Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
    Attribute.VALUE_LEN: KEY_BITS // 8,
    **_uses(_USES, Attribute.SIGN),
}
_KEK: Final[Mapping[Profile, Mapping[Attribute, Any]]] = {
    Profile.GCM: {
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE_LEN: KEY_BITS // 8,
        **_uses(_USES, Attribute.ENCRYPT, Attribute.DECRYPT),
    },
    Profile.DERIVED: _HMAC_KEY,
}
_OWN: Final[Mapping[KeyPurpose, Mapping[Attribute, Any]]] = {
    KeyPurpose.SEAL: _HMAC_KEY,
    KeyPurpose.TRANSPORT: _HMAC_KEY,
    KeyPurpose.INDEX: _HMAC_KEY,
    KeyPurpose.IDENTITY: {**_ON_CURVE, **_uses(_PRIVATE_USES, Attribute.SIGN)},
}
_PUBLIC: Final[Mapping[Attribute, Any]] = {
    Attribute.TOKEN: True,
    **_ON_CURVE,
    **_uses(_PUBLIC_USES, Attribute.VERIFY),
}


def object_classes(purpose: KeyPurpose) -> tuple[ObjectClass, ...]:
    """Return the classes of the objects that make up a key: one secret, or a private and a public half."""
    if purpose is KeyPurpose.IDENTITY:
        return (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
    return (ObjectClass.SECRET_KEY,)


def required_attributes(
    purpose: KeyPurpose, object_class: ObjectClass, profile: Profile = Profile.GCM
) -> Mapping[Attribute, Any]:
    """Return what the object must be, attribute by attribute; `profile` tells of a KEK, and nothing of other keys."""
    if object_class is ObjectClass.PUBLIC_KEY:
        return _PUBLIC
    own = _KEK[profile] if purpose is KeyPurpose.KEK else _OWN[purpose]
    return {**STAYS_INSIDE, **_ALWAYS_INSIDE, **own}


def template(purpose: KeyPurpose, object_class: ObjectClass, profile: Profile = Profile.GCM) -> dict[Attribute, Any]:
    """Return what to ask for when the object is generated: all that is required and a caller may set."""
    wanted = dict(required_attributes(purpose, object_class, profile))
    if object_class is ObjectClass.PUBLIC_KEY:
        return wanted
    for attribute in _ALWAYS_INSIDE:
        del wanted[attribute]
    if purpose is KeyPurpose.IDENTITY:
        del wanted[Attribute.EC_PARAMS]  # belongs to the public template; PKCS#11 forbids it in the private one
    return wanted


def profile_of(kek: Object) -> Profile:
    """Return the profile that a KEK belongs to, by its type. A type of neither is for `check_attributes` to refuse.

    Raises:
        TokenFault: the token failed.
    """
    with translated("reading the type of a KEK"):
        key_type = kek.get_attributes([Attribute.KEY_TYPE]).get(Attribute.KEY_TYPE)
    return Profile.DERIVED if key_type == KeyType.GENERIC_SECRET else Profile.GCM


def find_objects(session: Session, name: KeyName, object_class: ObjectClass) -> list[Object]:
    """Return every object with the key's label and class, none or more, unchecked.

    Raises:
        TokenFault: the token failed.
    """
    with translated(f"search for {name.label}"):
        return list(session.get_objects({Attribute.LABEL: name.label, Attribute.CLASS: object_class}))


def find_key(session: Session, name: KeyName, object_class: ObjectClass) -> Object:
    """Return the one object with the key's label and class, its attributes checked.

    Raises:
        Misconfigured: none or several are there, or an attribute is wrong; names the label and the attribute.
        TokenFault: the token failed, or what was found cannot be used though its attributes say so.
    """
    found = find_objects(session, name, object_class)
    if len(found) != 1:
        count = "is missing from the token" if not found else f"is in the token {len(found)} times"
        raise Misconfigured(f"key {name.label} ({object_class.name}) {count}")
    profile = profile_of(found[0]) if name.purpose is KeyPurpose.KEK else Profile.GCM
    check_attributes(found[0], name, object_class, profile)
    # The library makes an object without methods of a key whose attributes it could not read at the first look.
    if not all(hasattr(found[0], method) for method in _methods(name.purpose, object_class, profile)):
        raise TokenFault(f"key {name.label} was found while the token could not say what it is")
    return found[0]


def _methods(purpose: KeyPurpose, object_class: ObjectClass, profile: Profile) -> list[str]:
    required = required_attributes(purpose, object_class, profile)
    return [method for use, method in _METHODS.items() if required.get(use)]


def check_attributes(found: Object, name: KeyName, object_class: ObjectClass, profile: Profile) -> None:
    """Compare what the object is with what it must be.

    Raises:
        Misconfigured: an attribute differs or cannot be read; names the label and every such attribute.
        TokenFault: the token failed.
    """
    required = required_attributes(name.purpose, object_class, profile)
    with translated(f"reading attributes of {name.label}"):
        wrong = differences(found, required)
    if wrong:
        raise Misconfigured(f"key {name.label} ({object_class.name}) is not fit: {'; '.join(wrong)}")


def differences(found: Object, required: Mapping[Attribute, Any]) -> list[str]:
    """Return what the object is not, attribute by attribute; library errors pass through untranslated."""
    actual = found.get_attributes(list(required))
    return [
        f"{attribute.name} must be {wanted!r} and is {actual.get(attribute, 'unreadable')!r}"
        for attribute, wanted in required.items()
        if actual.get(attribute) != wanted
    ]
