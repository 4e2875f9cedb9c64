"""`token-proof.json`: that a second token, or an encrypted copy of the first, was seen to hold the very same keys.

Losing the only token loses every envelope. `strongroomd keys script` writes the proof at the end of its ceremony, into
the folder beside the database; `strongroomd doctor` fails without one younger than `token_proof_max_age_days`. Its
body, under the label "strongroom/v1/token-proof" (see signed_document.py):

    schema        1
    made_at       unix milliseconds
    kind          "second-token" or "encrypted-copy"
    first, second {"label", "serial", "manufacturer", "model"} of both tokens
    check_values  {label of each key: 32 hex digits}, the same in both
    copy_sha256   of the encrypted copy, 64 hex digits; "" for a second token
    transcript    SHA-256 that the ceremony's transcript ends with, 64 hex digits
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from strongroom_service.config.owner_keys import parse_public_key
from strongroom_service.config.signed_document import read_document
from strongroom_service.domain.clock import Millis
from strongroom_service.domain.errors import Misconfigured

TOKEN_PROOF_NAME: Final = "token-proof.json"  # noqa: S105  a file's name
TOKEN_PROOF_LABEL: Final = "strongroom/v1/token-proof"  # noqa: S105  a label
_DAY_MS: Final = 24 * 3600 * 1000

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
CheckValue = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


@unique
class ProofKind(Enum):
    """What holds the keys beside the token in use; the value is its name in the file."""

    SECOND_TOKEN = "second-token"  # noqa: S105  a word
    ENCRYPTED_COPY = "encrypted-copy"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TokenNames(_Part):
    """How a token calls itself (PKCS#11 CK_TOKEN_INFO)."""

    label: str
    serial: str
    manufacturer: str
    model: str


class ProofBody(_Part):
    """What is signed."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    made_at: Annotated[int, Field(ge=0)]
    kind: ProofKind
    first: TokenNames
    second: TokenNames
    check_values: Annotated[dict[str, CheckValue], Field(min_length=1)]
    copy_sha256: Digest | Literal[""]
    transcript: Digest

    @model_validator(mode="after")
    def _names_a_copy(self) -> Self:
        if (self.kind is ProofKind.ENCRYPTED_COPY) != bool(self.copy_sha256):
            message = "copy_sha256 belongs to an encrypted copy, and to nothing else"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProof:
    """A proof whose signature is right.

    Attributes:
        body: what was proven.
        signer: SubjectPublicKeyInfo (DER) of the identity key, or of an owner's key, that signed it.
    """

    body: ProofBody
    signer: bytes

    def age_days(self, *, now: Millis) -> float:
        """How old it is; below 0 where it is of a time to come."""
        return (now - self.body.made_at) / _DAY_MS

    def missing(self, check_values: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return the labels of those keys, given with their check values now, that it does not prove."""
        return tuple(
            label for label, value in sorted(check_values.items()) if self.body.check_values.get(label) != value.hex()
        )

    @property
    def identity_point(self) -> bytes:
        """The signer as an identity key's uncompressed point (65 bytes); empty where it is another kind of key."""
        key = parse_public_key(self.signer)
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            return b""
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def load_token_proof(path: Path) -> TokenProof:
    """Read a proof and check its signature.

    Raises:
        Misconfigured: there is none, it is malformed, or its signature is wrong; names the file and the rule.
    """
    document = read_document(path, TOKEN_PROOF_LABEL)
    body: dict[str, Any] = dict(document.body)
    try:
        return TokenProof(body=ProofBody.model_validate(body), signer=document.signer)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Misconfigured(f"{path}: {where}") from None
