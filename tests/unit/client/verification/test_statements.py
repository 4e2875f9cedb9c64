from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom.v1 import ceremony_pb2, resources_pb2
from strongroom_client.clock import Millis
from strongroom_client.errors import StatementMismatch, VaultWentBack
from strongroom_client.verification.positions import Position
from strongroom_client.verification.statements import CheckedCeremony, Expected, challenge_of, check_ceremony
from tests.fakes.vault import ACCOUNT, NOW, ORIGIN, RP_ID, TENANT
from tests.fakes.vault_keys import timestamp

HEAD = b"h" * 32
DIGEST = b"d" * 32
REQUEST = ceremony_pb2.CeremonyRequest(
    client_random=b"c" * 32,
    release=ceremony_pb2.ReleaseOperation(recipient=b"r" * 32, suite=resources_pb2.HPKE_SUITE_X25519_SHA256_AES256GCM),
)
EXPECTED = Expected(
    request=REQUEST.SerializeToString(),
    tenant=TENANT,
    account=ACCOUNT,
    rp_id=RP_ID,
    origin=ORIGIN,
    modes=frozenset({resources_pb2.MODE_PRF}),
    known=Position(4, HEAD),
    listed_digest=DIGEST,
    known_digest=DIGEST,
    about_set_aside=False,
    now=Millis(NOW),
)
Spoil = Callable[[ceremony_pb2.Statement], None]


def statement() -> ceremony_pb2.Statement:
    return ceremony_pb2.Statement(
        format=1,
        request=EXPECTED.request,
        tenant=TENANT,
        account=ACCOUNT,
        version=4,
        chain_head=HEAD,
        credential_set_sha256=DIGEST,
        mode=resources_pb2.MODE_PRF,
        rp_id=RP_ID,
        origins=["https://other.example", ORIGIN],
        seal_epoch=1,
        expire_time=timestamp(NOW + 120_000),
        keeper_random=b"k" * 32,
    )


def check(stated: ceremony_pb2.Statement, expected: Expected = EXPECTED) -> CheckedCeremony:
    return check_ceremony(stated.SerializeToString() + bytes(32), expected=expected)


def test_own_ceremony_gives_its_challenge() -> None:
    ceremony = statement().SerializeToString() + bytes(32)
    checked = check(statement())
    assert checked.challenge == challenge_of(ceremony)
    assert checked.position == Position(4, HEAD)
    assert checked.expires_at == NOW + 120_000


def test_newer_version_may_have_other_credentials() -> None:
    stated = statement()
    stated.version = 5
    stated.chain_head = b"i" * 32
    assert check(stated, replace(EXPECTED, known_digest=b"e" * 32)).position.version == 5


def spoilt_request(change: Callable[[ceremony_pb2.CeremonyRequest], None]) -> Spoil:
    def spoil(stated: ceremony_pb2.Statement) -> None:
        request = ceremony_pb2.CeremonyRequest()
        request.CopyFrom(REQUEST)
        change(request)
        stated.request = request.SerializeToString()

    return spoil


def swap_recipient(request: ceremony_pb2.CeremonyRequest) -> None:
    request.release.recipient = b"s" * 32


def swap_operation(request: ceremony_pb2.CeremonyRequest) -> None:
    request.delete.CopyFrom(ceremony_pb2.DeleteOperation())


def swap_opened_version(request: ceremony_pb2.CeremonyRequest) -> None:
    request.opened_archive_version = 9


def field(name: str, value: object) -> Spoil:
    def spoil(stated: ceremony_pb2.Statement) -> None:
        setattr(stated, name, value)

    return spoil


def other_origins(stated: ceremony_pb2.Statement) -> None:
    del stated.origins[:]
    stated.origins.append("https://evil.example")


def expires_at(at: int) -> Spoil:
    return lambda stated: stated.expire_time.CopyFrom(timestamp(at))


def unknown_field(stated: ceremony_pb2.Statement) -> None:
    stated.MergeFromString(bytes([15 << 3, 1]))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(spoilt_request(swap_recipient), id="swapped recipient"),
        pytest.param(spoilt_request(swap_operation), id="swapped operation"),
        pytest.param(spoilt_request(swap_opened_version), id="swapped opened version"),
        pytest.param(field("request", b""), id="no request"),
        pytest.param(field("tenant", "other"), id="other tenant"),
        pytest.param(field("account", "mallory"), id="other account"),
        pytest.param(field("rp_id", "evil.example"), id="other RP ID"),
        pytest.param(other_origins, id="other origins"),
        pytest.param(field("mode", resources_pb2.MODE_VAULT_HELD), id="vault_held unasked"),
        pytest.param(field("mode", 17), id="unknown mode"),
        pytest.param(field("credential_set_sha256", b"e" * 32), id="other credentials"),
        pytest.param(expires_at(NOW - 6 * 60_000), id="expired"),
        pytest.param(expires_at(NOW + 11 * 60_000), id="lives too long"),
        pytest.param(field("format", 2), id="other format"),
        pytest.param(unknown_field, id="unknown field"),
        pytest.param(field("chain_head", b""), id="no head"),
        pytest.param(field("keeper_random", b""), id="no keeper random"),
    ],
)
def test_ceremony_about_anything_else_is_refused(spoil: Spoil) -> None:
    stated = statement()
    spoil(stated)
    with pytest.raises(StatementMismatch):
        check(stated)


@pytest.mark.parametrize("position", [Position(3, HEAD), Position(4, b"x" * 32), Position(0, bytes(32))])
def test_older_version_or_other_head_is_refused(position: Position) -> None:
    stated = statement()
    stated.version, stated.chain_head = position.version, position.chain_head
    with pytest.raises(VaultWentBack) as caught:
        check(stated)
    assert (caught.value.known_version, caught.value.shown_version) == (4, position.version)


def test_other_credentials_than_known_at_the_same_version_are_refused() -> None:
    with pytest.raises(StatementMismatch, match="knows at that version"):
        check(statement(), replace(EXPECTED, known_digest=b"e" * 32))


@pytest.mark.parametrize("ceremony", [b"", bytes(32), b"\xff" * 40, bytes(9000)])
def test_what_is_no_ceremony_is_refused(ceremony: bytes) -> None:
    with pytest.raises(StatementMismatch):
        check_ceremony(ceremony, expected=EXPECTED)
