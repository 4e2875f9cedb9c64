"""What an envelope holds, and its bytes: strict and canonical. Format 1, or 2 where a passkey has a name.

The content is `encode_fields` (fields.py) of, in this order:

1. the label `strongroom/v1/envelope-content`
2. u64: how many archive identities follow (1 or more)
3. each archive identity: 32 bytes, newest first, all different
4. u64: how many passkeys follow (0 or more)
5. for each passkey two fields: credential id (1 to 1023 bytes) and its X25519 public key (32 bytes),
   in strictly rising order of credential id
6. the recovery recipient's X25519 public key: 32 bytes

Format 2 has the label `strongroom/v1/envelope-content-named`, the fields 2 to 6, and after them

7. u64: how many passkeys have a name (1 or more)
8. for each two fields: credential id (1 to 1023 bytes) and name (passkey_names.py), in strictly rising order of
   credential id; in mode vault_held these need not be among the passkeys of field 5

One content has one encoding: the decoder encodes what it has read again and refuses any difference. A change of format
changes the label. tests/vectors/envelope.json holds examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from strongroom_client.age_keys import (
    AgeKeyError,
    ArchiveIdentity,
    decode_recipient,
    encode_recipient,
)
from strongroom_client.fields import FieldsError, decode_fields, encode_fields
from strongroom_client.passkey_names import check_name

MAX_CREDENTIAL_ID_BYTES = 1023  # WebAuthn Level 3, section 5.8.3 and the limit in 7.1
_LABEL = "strongroom/v1/envelope-content"
_NAMED_LABEL = "strongroom/v1/envelope-content-named"
_COUNT_BYTES = 8


class EnvelopeError(Exception):
    """Root of what can be wrong with an envelope."""


class EnvelopeCorrupt(EnvelopeError):
    """The envelope or its content is not what this client writes; the message gives no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRecipient:
    """One passkey that opens the envelope.

    Attributes:
        credential_id: WebAuthn credential id, 1 to 1023 bytes.
        recipient: `age1...`, derived from the passkey's PRF output.
    """

    credential_id: bytes
    recipient: str


@dataclass(frozen=True, slots=True, order=True)
class PasskeyName:
    """What a person calls a passkey: credential id (1 to 1023 bytes) and name, as passkey_names.py allows it."""

    credential_id: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeContent:
    """What the client gives the vault to keep.

    Attributes:
        archive_identities: newest first, at least one; new archives go to the first one's recipient.
        passkey_recipients: in rising order of credential id, whatever order they are given in.
        recovery_recipient: `age1...` of the recovery key in force.
        passkey_names: of passkeys that have one, in rising order of credential id likewise.
    """

    archive_identities: tuple[ArchiveIdentity, ...] = field(repr=False)
    passkey_recipients: tuple[PasskeyRecipient, ...]
    recovery_recipient: str
    passkey_names: tuple[PasskeyName, ...] = ()

    def __post_init__(self) -> None:
        """Put passkeys in their one order and refuse what has no encoding.

        Raises:
            ValueError: no identity, a repeated identity or credential id, one of a wrong length, or what is no name.
            AgeKeyError: a recipient is malformed.
        """
        ordered = tuple(sorted(self.passkey_recipients, key=lambda passkey: passkey.credential_id))
        object.__setattr__(self, "passkey_recipients", ordered)
        object.__setattr__(self, "passkey_names", tuple(sorted(self.passkey_names)))
        credential_ids = [passkey.credential_id for passkey in ordered]
        named = [named.credential_id for named in self.passkey_names]
        if not self.archive_identities:
            message = "an envelope holds at least one archive identity"
            raise ValueError(message)
        if (
            _repeats(credential_ids)
            or _repeats(named)
            or _repeats([identity.secret for identity in self.archive_identities])
        ):
            message = "an envelope names each archive identity and each credential once"
            raise ValueError(message)
        if not all(1 <= len(credential_id) <= MAX_CREDENTIAL_ID_BYTES for credential_id in (*credential_ids, *named)):
            message = f"a credential id has 1 to {MAX_CREDENTIAL_ID_BYTES} bytes"
            raise ValueError(message)
        for recipient in self.recipients():
            decode_recipient(recipient)
        for one in self.passkey_names:
            check_name(one.name)

    def recipients(self) -> tuple[str, ...]:
        """Return every recipient that the envelope is encrypted to: each passkey's and the recovery key's."""
        return (*(passkey.recipient for passkey in self.passkey_recipients), self.recovery_recipient)

    def names(self) -> Mapping[bytes, str]:
        """Return the names, by credential id."""
        return {one.credential_id: one.name for one in self.passkey_names}

    def naming(self, credential_id: bytes, name: str) -> EnvelopeContent:
        """Return the content with `name` for that passkey; with none where it is empty."""
        others = tuple(one for one in self.passkey_names if one.credential_id != credential_id)
        return replace(self, passkey_names=(*others, PasskeyName(credential_id, name)) if name else others)


def encode_content(content: EnvelopeContent) -> bytes:
    """Return the one encoding of `content`: secret bytes."""
    passkeys, names = content.passkey_recipients, content.passkey_names
    return encode_fields(
        _NAMED_LABEL if names else _LABEL,
        len(content.archive_identities),
        *(identity.secret for identity in content.archive_identities),
        len(passkeys),
        *chain.from_iterable((passkey.credential_id, decode_recipient(passkey.recipient)) for passkey in passkeys),
        decode_recipient(content.recovery_recipient),
        *((len(names),) if names else ()),
        *chain.from_iterable((one.credential_id, one.name.encode()) for one in names),
    )


def decode_content(encoded: bytes) -> EnvelopeContent:
    """Read what `encode_content` wrote, and nothing else.

    Raises:
        EnvelopeCorrupt: any byte differs from the format.
    """
    try:
        content = _read(list(decode_fields(encoded)))
    except (FieldsError, AgeKeyError, ValueError, IndexError):
        message = "envelope content is in no format that this client knows"
        raise EnvelopeCorrupt(message) from None
    if encode_content(content) != encoded:
        message = "envelope content is not in canonical form"
        raise EnvelopeCorrupt(message)
    return content


def _read(fields: list[bytes]) -> EnvelopeContent:
    """Read the fields front to back; a field that is missing raises IndexError, leftovers differ when encoded again."""
    fields.reverse()
    label = fields.pop()
    if label not in {_LABEL.encode(), _NAMED_LABEL.encode()}:
        message = "another label"
        raise ValueError(message)
    identities = tuple(ArchiveIdentity(fields.pop()) for _ in range(_count(fields)))
    passkeys = tuple(
        PasskeyRecipient(credential_id=fields.pop(), recipient=encode_recipient(fields.pop()))
        for _ in range(_count(fields))
    )
    recovery_recipient = encode_recipient(fields.pop())
    names = range(_count(fields)) if label == _NAMED_LABEL.encode() else ()
    return EnvelopeContent(
        archive_identities=identities,
        passkey_recipients=passkeys,
        recovery_recipient=recovery_recipient,
        passkey_names=tuple(PasskeyName(fields.pop(), fields.pop().decode()) for _ in names),
    )


def _count(fields: list[bytes]) -> int:
    encoded = fields.pop()
    if len(encoded) != _COUNT_BYTES:
        message = "a count is a u64"
        raise ValueError(message)
    return int.from_bytes(encoded, "big")


def _repeats(values: list[bytes]) -> bool:
    return len(set(values)) != len(values)
