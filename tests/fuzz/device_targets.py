"""What the client opens on its own device: envelopes, recovery keys as typed, archives from anywhere, its memory."""

from __future__ import annotations

import functools
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_client.age_keys import ArchiveIdentity, parse_identity, recipient_of
from strongroom_client.archive.errors import ArchiveError
from strongroom_client.archive.extraction_tree import points_outside, split_name
from strongroom_client.archive.reader import extract_archive, verify_archive
from strongroom_client.archive.sparse import Extent
from strongroom_client.archive.tar_format import END_OF_ARCHIVE, Entry, Kind, TarReader, encode_entry, padding
from strongroom_client.authenticators.browser_handover import BadAnswer, ask_to_sign, encode, open_answer
from strongroom_client.authenticators.port import AuthenticatorError
from strongroom_client.clock import Millis
from strongroom_client.envelope import decode_vault_held_envelope, open_envelope, passkey_identity
from strongroom_client.envelope_content import EnvelopeError, decode_content
from strongroom_client.errors import MemoryFault
from strongroom_client.fields import encode_fields
from strongroom_client.memory import AccountMemory, AccountRef, Mode, decode_memory, encode_memory
from strongroom_client.pending import Pending
from strongroom_client.recovery_key import RecoveryKeyTypo, parse_recovery_key
from strongroom_client.verification.bundles import SeenBundle
from strongroom_client.verification.credential_sets import CredentialSet, PublicCredential
from strongroom_client.verification.owner_bundles import SeenOwnerBundle
from strongroom_client.verification.positions import Position
from tests.fuzz import honest
from tests.fuzz.target import Target
from tests.integration.client.archives import IDENTITY, member, picture, sealed, tar_of

OWNER = AccountRef(vault="test", tenant="acme", account="alice")


@functools.cache
def envelope_identity() -> ArchiveIdentity:
    vector = honest.vectors("envelope")["envelopes"][0]
    return passkey_identity(
        prf_output=bytes.fromhex(vector["prf_output"]), credential_id=bytes.fromhex(vector["credential_id"])
    )


def envelope(data: bytes) -> None:
    open_envelope(data, identity=envelope_identity())


def contents() -> list[bytes]:
    return [bytes.fromhex(one["content"]) for one in honest.vectors("envelope")["contents"]]


def typed_recovery_key(data: bytes) -> None:
    parse_recovery_key(data.decode("utf-8", "surrogateescape"))


def recovery_keys() -> list[bytes]:
    return ["\n".join(one["rows"]).encode() for one in honest.vectors("recovery_key")["keys"]]


@functools.cache
def folder() -> Path:
    """Where archives lie, beside a folder that none may touch."""
    made = honest.scratch() / "archives"
    (made / "outside").mkdir(parents=True)
    (made / "outside" / "victim").write_bytes(b"untouched")
    return made


def tar_entries(data: bytes) -> None:
    """Walk a tar stream alone: a hundred times as many inputs as by way of age, zstd and the disk."""
    reader = TarReader(io.BytesIO(data))
    for entry in reader.entries():
        points_outside(split_name(entry.name, entry=entry.name), entry.link)
        for _ in reader.content():
            pass


def tar_extraction(data: bytes) -> None:
    """Extract a tar stream out of a sound age file, and see that nothing beside the target changed."""
    archive = folder() / "archive"
    archive.write_bytes(sealed(data))
    watched(lambda target: extract_archive(archive=archive, target=target, identities=[IDENTITY], progress=None))


def watched(extract: Callable[[Path], object]) -> None:
    """Extract to a folder and look around it.

    Raises:
        AssertionError: something was written outside of it, or stands there although the archive was refused.
    """
    inside, before = folder(), picture(folder() / "outside")
    with tempfile.TemporaryDirectory(dir=inside) as neighbour:
        try:
            extract(Path(neighbour) / "target")
        except ArchiveError:
            if any(Path(neighbour).iterdir()):
                raise AssertionError("something stands although the archive was refused") from None
            raise
        finally:
            names = {path.name for path in inside.iterdir()} - {"archive", Path(neighbour).name}
            if names != {"outside"} or picture(inside / "outside") != before:
                raise AssertionError("something was written outside of the target")


def zstd_stream(data: bytes) -> None:
    """Read a sound age file of any bytes in place of a zstd stream."""
    verify(sealed(data, compressed=False))


def verify(archive: bytes) -> None:
    path = folder() / "archive"
    path.write_bytes(archive)
    verify_archive(archive=path, identities=[IDENTITY], progress=None)


def tars() -> list[bytes]:
    symbolic, hard, directory = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
    escape = member("s", symbolic, "../../outside")
    listings = (
        [member("folder", directory, mode=0o755), member("folder/file", content=b"content"), member("hard", hard, "f")],
        [member("name-of-" + "many-" * 40 + "letters", content=b"content"), member("link", symbolic, "folder")],
        [escape, member("s/new", content=b"evil")],
        [escape, member("h", hard, "s/victim"), member("h", content=b"evil")],
        [member("../../outside/new", content=b"evil")],
        [member("a", directory), member("a/../../../outside/new", directory)],
    )
    return [*(tar_of(listing)[:8192] for listing in listings), sparse_tar()]


def sparse_tar() -> bytes:
    """A file of two pieces with holes around them."""
    extents = (Extent(512, 5), Extent(1024, 3))
    entry = Entry(name="sparse", kind=Kind.FILE, mode=0o644, mtime_ns=0, size=4096, extents=extents)
    return encode_entry(entry) + b"content1" + padding(8) + END_OF_ARCHIVE


def memories() -> list[bytes]:
    recipient = recipient_of(parse_identity(honest.vectors("envelope")["passkey_identities"][0]["identity"]))
    full = AccountMemory(
        owner=OWNER,
        pins=frozenset({b"p" * 32}),
        position=Position(7, b"h" * 32),
        contested=Position(6, b"i" * 32),
        bundles=MappingProxyType({b"p" * 32: SeenBundle(3, b"s" * 32)}),
        owner_bundle=SeenOwnerBundle(serial=4, sha256=b"t" * 32, identity_keys=frozenset({b"p" * 32})),
        credentials=CredentialSet((PublicCredential(b"id", b"key"),), b"r" * 32),
        credentials_version=7,
        set_aside=CredentialSet((PublicCredential(b"older", b"key"),)),
        pending=Pending(set_aside_erase_at=Millis(8), account_erase_at=Millis(9)),
        life=2,
        mode=Mode.VAULT_HELD,
        opened_archive_version=5,
        archive_recipient=recipient,
        recovery_recipient=recipient,
    )
    return [encode_memory(full), encode_memory(AccountMemory(owner=OWNER))]


HANDOVER = ask_to_sign(rp_id="vault.example", challenge=b"c" * 32, allow=(), prf_input=b"p" * 32)


def browser_answer(data: bytes) -> None:
    """Open what a page that knows the key has sealed."""
    aad = encode_fields("strongroom/v1/browser-answer", HANDOVER.challenge)
    open_answer(bytes(12) + AESGCM(HANDOVER.key).encrypt(bytes(12), data, aad), handover=HANDOVER)


def browser_answers() -> list[bytes]:
    signed = {
        "v": 1,
        "kind": "get",
        "credential_id": "AAAA",
        "client_data_json": encode(json.dumps({"challenge": encode(HANDOVER.challenge)}).encode()),
        "authenticator_data": "AAAA",
        "signature": "AAAA",
        "user_handle": None,
        "prf_output": encode(b"p" * 32),
    }
    return [json.dumps(one).encode() for one in (signed, {"v": 1, "kind": "error", "name": "AbortError"})]


def packed(tar: Callable[[], list[bytes]]) -> list[bytes]:
    return [zstandard.ZstdCompressor().compress(stream) for stream in tar()]


TARGETS = {
    "envelope_content": Target(parse=decode_content, refusals=(EnvelopeError,), seeds=contents),
    "envelope": Target(
        parse=envelope,
        refusals=(EnvelopeError,),
        seeds=lambda: [bytes.fromhex(one["envelope"]) for one in honest.vectors("envelope")["envelopes"]],
    ),
    "vault_held_envelope": Target(
        parse=decode_vault_held_envelope,
        refusals=(EnvelopeError,),
        seeds=lambda: [b"\x01" + content for content in contents()],
    ),
    "recovery_key": Target(parse=typed_recovery_key, refusals=(RecoveryKeyTypo,), seeds=recovery_keys),
    "tar_entries": Target(parse=tar_entries, refusals=(ArchiveError,), seeds=tars),
    "tar": Target(parse=tar_extraction, refusals=(ArchiveError,), seeds=tars),
    "zstd": Target(parse=zstd_stream, refusals=(ArchiveError,), seeds=lambda: packed(tars)),
    "archive": Target(parse=verify, refusals=(ArchiveError,), seeds=lambda: [sealed(tar) for tar in tars()]),
    "browser_answer": Target(parse=browser_answer, refusals=(BadAnswer, AuthenticatorError), seeds=browser_answers),
    "memory_file": Target(parse=functools.partial(decode_memory, owner=OWNER), refusals=(MemoryFault,), seeds=memories),
}
