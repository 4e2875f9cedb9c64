"""Secrets hide themselves in `repr`: an error text or a log line that shows an object shows none of them.

Every dataclass of service and client is made without its constructor, with a marker in each field whose name is that of
a secret; none may show it. A name that only sounds so is listed below with the reason.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

import pytest

import strongroom_client
import strongroom_service

MARKER: Final = b"marker-of-a-secret-0123456789"
SECRET_WORDS: Final = frozenset({
    "claims", "envelope", "envelopes", "identities", "identity", "key", "keys", "metadata", "passphrase", "password",
    "pin", "plaintext", "prf", "private", "sealed", "secret", "secrets", "seed", "token", "tokens",
})  # fmt: skip
# A name that ends so speaks about the secret; one with such a word in it is about something public.
HARMLESS_ENDINGS: Final = frozenset({"bundle", "bytes", "epoch", "file", "fingerprint", "id", "input", "sha256"})
PUBLIC_WORDS: Final = frozenset({"cose", "has", "public"})
PUBLIC: Final = {
    "Beginner.keys": "its own repr hides what is secret in it",
    "Case.identity": "its own repr hides the account",
    "Completion.sealed_envelope": "sealed to a keeper's transport key by the client",
    "ConfigFault.key": "the name of a line in a configuration file",
    "Describer.keys": "its own repr hides what is secret in it",
    "Envelopes.keys": "its own repr hides what is secret in it",
    "Feeder.keys": "its own repr hides what is secret in it",
    "Fulfiller.keys": "its own repr hides what is secret in it",
    "Initialised.made_keys": "labels of keys",
    "Judge.keys": "its own repr hides what is secret in it",
    "KeptReceipt.identity_key": "the public half, which the client pins",
    "PageStart.token": "where a page of history begins",
    "SealedEnvelope.sealed": "sealed to a keeper's transport key by the client",
    "SealedStep.sealed_event": "what the database gets",
    "SealedStep.sealed_record": "what the database gets",
    "SeenOwnerBundle.identity_keys": "fingerprints of public keys",
    "Tenant.keys": "public keys that tokens are verified with",
    "VaultContents.keys": "names, states and check values of keys",
    "VaultKeys.token": "a port: it has no repr of its own",
    "VerifiedBundle.identity_keys": "public keys",
    "VerifiedBundle.transport_key": "a public key",
}


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def dataclasses_of(package: ModuleType) -> Iterator[type]:
    for module in modules(package):
        for _, member in inspect.getmembers(module, inspect.isclass):
            if member.__module__ == module.__name__ and dataclasses.is_dataclass(member):
                yield member


CLASSES: Final = [*dataclasses_of(strongroom_service), *dataclasses_of(strongroom_client)]


def names_a_secret(name: str) -> bool:
    words = name.strip("_").lower().split("_")
    return not SECRET_WORDS.isdisjoint(words) and PUBLIC_WORDS.isdisjoint(words) and words[-1] not in HARMLESS_ENDINGS


def secrets_of(kind: type[Any]) -> set[str]:
    return {each.name for each in dataclasses.fields(kind) if names_a_secret(each.name)}


def text_with_markers(kind: type[Any], names: Iterable[str]) -> str:
    """The repr of an instance that has the marker in the fields of these names, and nothing in the others."""
    instance = object.__new__(kind)
    for each in dataclasses.fields(kind):
        object.__setattr__(instance, each.name, MARKER if each.name in names else None)
    return repr(instance)


def shows_marker(text: str) -> bool:
    forms = (MARKER.decode(), MARKER.hex(), base64.b64encode(MARKER[:27]).decode())
    return any(form in text for form in forms)


def hidden_fields() -> list[tuple[type[Any], str]]:
    """Class and field of each secret."""
    return [
        (kind, name) for kind in CLASSES for name in sorted(secrets_of(kind)) if f"{kind.__name__}.{name}" not in PUBLIC
    ]


@pytest.mark.parametrize(("kind", "name"), hidden_fields(), ids=lambda value: getattr(value, "__name__", value))
def test_secret_is_not_in_the_repr(kind: type[Any], name: str) -> None:
    assert not shows_marker(text_with_markers(kind, {name}))


def test_what_is_looked_for_is_found_where_it_is_not_hidden() -> None:
    """The control, on the classes that are looked at."""
    shown = [(kind, name) for kind in CLASSES for name in secrets_of(kind) if f"{kind.__name__}.{name}" in PUBLIC]
    assert len(shown) >= len(PUBLIC)
    for kind, name in shown:
        assert shows_marker(text_with_markers(kind, {name}))


@dataclasses.dataclass
class Leaky:
    """A class as it must not be."""

    account_token: str
    cose_key: bytes
    seed: bytes = dataclasses.field(repr=False)


def test_class_that_shows_a_secret_is_noticed() -> None:
    assert secrets_of(Leaky) == {"account_token", "seed"}
    assert shows_marker(text_with_markers(Leaky, {"account_token"}))
    assert not shows_marker(text_with_markers(Leaky, {"seed"}))


def test_walk_reaches_the_classes_that_matter_most() -> None:
    hidden = {f"{kind.__name__}.{name}" for kind, name in hidden_fields()}
    assert {"VaultKeys.id_key", "VaultKeys.ceremony_keys", "VaultKeys.transport_keys", "OneTimeKey.key"} <= hidden
    assert {"RecoveryKey.seed", "ArchiveIdentity.secret", "SoftwareCredential.prf_secret"} <= hidden
    assert {"Caller.account_token", "Call.metadata", "CompactToken.claims"} <= hidden


def test_names_said_to_be_public_are_names_of_today() -> None:
    names = {f"{kind.__name__}.{name}" for kind in CLASSES for name in secrets_of(kind)}
    assert set(PUBLIC) <= names
    assert all(re.fullmatch(r"[A-Z]\w+\.\w+", name) and reason for name, reason in PUBLIC.items())
