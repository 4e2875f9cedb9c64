"""What a device remembers of one account's vault, as a value and as JSON, schema 4.

It holds no secret. Version and chain head come from verified receipts and signed answers only, never from a statement.
Bytes are lower-case hex. The reader takes exactly the members it knows, each of its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from types import MappingProxyType
from typing import Any

from strongroom.v1 import resources_pb2
from strongroom_client.age_keys import AgeKeyError, decode_recipient
from strongroom_client.clock import Millis
from strongroom_client.errors import MemoryFault
from strongroom_client.memory_schemas import SCHEMA, of_this_schema
from strongroom_client.passkey_names import check_name
from strongroom_client.pending import NOTHING_PENDING, Pending
from strongroom_client.strict_json import count, elements, mapping, members, octets, optional, text
from strongroom_client.verification.bundles import FINGERPRINT_BYTES, SeenBundle
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.owner_bundles import SeenOwnerBundle
from strongroom_client.verification.positions import GENESIS, HEAD_BYTES, Position

_DIGEST_BYTES = 32
_CLOCK_TOLERANCE_MS = 5 * 60 * 1000
_RECOVERY_KEY_BYTES = 32


@unique
class Mode(Enum):
    """How the envelope is locked before it reaches the vault; the value is the name in files and on command lines."""

    PRF = "prf"
    VAULT_HELD = "vault-held"

    @property
    def wire(self) -> resources_pb2.Mode.ValueType:
        """The protocol's value."""
        return resources_pb2.MODE_PRF if self is Mode.PRF else resources_pb2.MODE_VAULT_HELD

    @property
    def no_weaker(self) -> frozenset[Mode]:
        """The modes that lock at least as well: who expects vault_held may find that the passkeys lock it too."""
        return frozenset({self, Mode.PRF})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    """Whose memory it is: a vault, by the name that this device has for it, a tenant and an account."""

    vault: str
    tenant: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMemory:
    """What is remembered.

    Attributes:
        owner: whose memory it is.
        pins: fingerprints that were pinned when last used; a vault that was pinned is never used unpinned again.
        position: newest version and chain head that the vault has signed for.
        contested: position that the vault signed for although it does not go on from `position`; stops all else.
        bundles: newest key bundle seen, by fingerprint of its signer.
        owner_bundle: newest that two pinned owners have signed; None where none was gone by.
        credentials: the credentials when they were last seen; None where they never were.
        credentials_version: the version that they were seen at.
        set_aside: credentials of what a reset had set aside at that version; None where nothing was, or is known.
        pending: what waits to be erased, as last seen.
        life: which life of the record was last seen; None where it is not known.
        mode: how this device locked, or knowingly accepted, the envelope; None where it has not.
        opened_archive_version: newest archive version whose envelope this device has opened; 0 for none.
        archive_recipient: `age1...` that new archives are encrypted to; None before the first opened envelope.
        recovery_recipient: `age1...` of the recovery key in force; None likewise.
        names: of passkeys that have one, by credential id, as the envelope last opened here had them.
    """

    owner: AccountRef
    pins: frozenset[bytes] = frozenset()
    position: Position = GENESIS
    contested: Position | None = None
    bundles: Mapping[bytes, SeenBundle] = field(default_factory=lambda: MappingProxyType({}))
    owner_bundle: SeenOwnerBundle | None = None
    credentials: CredentialSet | None = None
    credentials_version: int = 0
    set_aside: CredentialSet | None = None
    pending: Pending = NOTHING_PENDING
    life: int | None = None
    mode: Mode | None = None
    opened_archive_version: int = 0
    archive_recipient: str | None = None
    recovery_recipient: str | None = None
    names: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))

    def digest_at(self, version: int, *, about_set_aside: bool, now: Millis) -> bytes | None:
        """Return the digest of the credentials that may sign at `version`, where this device knows them.

        Once an erasure of the account is due it knows them no more: what is due is gone, before any change says so.
        """
        erase_at = self.pending.account_erase_at
        is_due = erase_at is not None and now >= erase_at - _CLOCK_TOLERANCE_MS
        known = self.set_aside if about_set_aside else self.credentials
        return None if known is None or version != self.credentials_version or is_due else known.digest


def encode_memory(memory: AccountMemory) -> bytes:
    """Return `memory` as JSON."""
    document = {
        "schema": SCHEMA,
        "vault": memory.owner.vault,
        "tenant": memory.owner.tenant,
        "account": memory.owner.account,
        "pins": sorted(pin.hex() for pin in memory.pins),
        "position": _position_document(memory.position),
        "contested": None if memory.contested is None else _position_document(memory.contested),
        "bundles": {
            fingerprint.hex(): {"serial": bundle.serial, "sha256": bundle.sha256.hex()}
            for fingerprint, bundle in memory.bundles.items()
        },
        "owner_bundle": None if memory.owner_bundle is None else _owner_bundle_document(memory.owner_bundle),
        "credentials": None if memory.credentials is None else _credentials_document(memory.credentials),
        "credentials_version": memory.credentials_version,
        "set_aside": None if memory.set_aside is None else _credentials_document(memory.set_aside),
        "set_aside_erase_at": memory.pending.set_aside_erase_at,
        "account_erase_at": memory.pending.account_erase_at,
        "life": memory.life,
        "mode": None if memory.mode is None else memory.mode.value,
        "opened_archive_version": memory.opened_archive_version,
        "archive_recipient": memory.archive_recipient,
        "recovery_recipient": memory.recovery_recipient,
        "names": {credential_id.hex(): name for credential_id, name in memory.names.items()},
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def decode_memory(encoded: bytes, *, owner: AccountRef) -> AccountMemory:
    """Read what `encode_memory` wrote for `owner`, and nothing else.

    Raises:
        MemoryFault: any member is missing, unknown or malformed, or it is another account's.
    """
    try:
        memory = _decode(members(of_this_schema(mapping(json.loads(encoded))), _MEMBERS))
    except (ValueError, TypeError, KeyError, AgeKeyError, RecursionError):
        raise MemoryFault(f"the memory file is damaged or not of schema {SCHEMA}") from None
    if memory.owner != owner:
        raise MemoryFault("the memory file belongs to another account")
    return memory


_MEMBERS = frozenset(
    {
        "schema",
        "vault",
        "tenant",
        "account",
        "pins",
        "position",
        "contested",
        "bundles",
        "owner_bundle",
        "credentials",
        "credentials_version",
        "set_aside",
        "set_aside_erase_at",
        "account_erase_at",
        "life",
        "mode",
        "opened_archive_version",
        "archive_recipient",
        "recovery_recipient",
        "names",
    }
)


def _decode(document: dict[str, Any]) -> AccountMemory:
    if document["schema"] != SCHEMA:
        raise ValueError
    return AccountMemory(
        owner=AccountRef(
            vault=text(document["vault"]), tenant=text(document["tenant"]), account=text(document["account"])
        ),
        pins=frozenset(octets(pin, FINGERPRINT_BYTES) for pin in elements(document["pins"])),
        position=_position(document["position"]),
        contested=optional(document["contested"], _position),
        bundles=MappingProxyType(
            {
                octets(fingerprint, FINGERPRINT_BYTES): _bundle(bundle)
                for fingerprint, bundle in mapping(document["bundles"]).items()
            }
        ),
        owner_bundle=optional(document["owner_bundle"], _owner_bundle),
        credentials=optional(document["credentials"], _credentials),
        credentials_version=count(document["credentials_version"]),
        set_aside=optional(document["set_aside"], _credentials),
        pending=Pending(
            set_aside_erase_at=optional(document["set_aside_erase_at"], _millis),
            account_erase_at=optional(document["account_erase_at"], _millis),
        ),
        life=optional(document["life"], count),
        mode=optional(document["mode"], Mode),
        opened_archive_version=count(document["opened_archive_version"]),
        archive_recipient=optional(document["archive_recipient"], _recipient),
        recovery_recipient=optional(document["recovery_recipient"], _recipient),
        names=MappingProxyType(
            {octets(credential_id): _name(name) for credential_id, name in mapping(document["names"]).items()}
        ),
    )


def _position_document(position: Position) -> dict[str, object]:
    return {"version": position.version, "chain_head": position.chain_head.hex()}


def _position(value: object) -> Position:
    found = members(value, {"version", "chain_head"})
    return Position(count(found["version"]), octets(found["chain_head"], HEAD_BYTES))


def _bundle(value: object) -> SeenBundle:
    found = members(value, {"serial", "sha256"})
    return SeenBundle(count(found["serial"]), octets(found["sha256"], _DIGEST_BYTES))


def _owner_bundle_document(bundle: SeenOwnerBundle) -> dict[str, object]:
    return {
        "serial": bundle.serial,
        "sha256": bundle.sha256.hex(),
        "identity_keys": sorted(key.hex() for key in bundle.identity_keys),
        "dropped": sorted(key.hex() for key in bundle.dropped),
    }


def _owner_bundle(value: object) -> SeenOwnerBundle:
    found = members(value, {"serial", "sha256", "identity_keys", "dropped"})
    return SeenOwnerBundle(
        serial=count(found["serial"]),
        sha256=octets(found["sha256"], _DIGEST_BYTES),
        identity_keys=frozenset(octets(key, FINGERPRINT_BYTES) for key in elements(found["identity_keys"])),
        dropped=frozenset(octets(key, FINGERPRINT_BYTES) for key in elements(found["dropped"])),
    )


def _credentials_document(credentials: CredentialSet) -> dict[str, object]:
    return {
        "passkeys": [
            {"credential_id": passkey.credential_id.hex(), "cose_key": passkey.cose_key.hex()}
            for passkey in credentials.passkeys
        ],
        "recovery_public_key": credentials.recovery_public_key.hex(),
    }


def _credentials(value: object) -> CredentialSet:
    found = members(value, {"passkeys", "recovery_public_key"})
    passkeys = (members(passkey, {"credential_id", "cose_key"}) for passkey in elements(found["passkeys"]))
    recovery_public_key = octets(found["recovery_public_key"])
    if len(recovery_public_key) not in {0, _RECOVERY_KEY_BYTES}:
        raise ValueError
    return CredentialSet(
        passkeys=tuple(
            sorted(PublicCredential(octets(one["credential_id"]), octets(one["cose_key"])) for one in passkeys)
        ),
        recovery_public_key=recovery_public_key,
    )


def _millis(value: object) -> Millis:
    return Millis(count(value))


def _name(value: object) -> str:
    name = text(value)
    check_name(name)
    return name


def _recipient(value: object) -> str:
    recipient = text(value)
    decode_recipient(recipient)
    return recipient
