"""The way to the vault over real gRPC with TLS: what is sent with each call, what is repeated, how errors come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from strongroom.v1 import vault_service_pb2
from strongroom_client.account_tokens import AccountTokenFile, AccountTokenFrom
from strongroom_client.errors import (
    AccountTokenMissing,
    AccountTokenRejected,
    BeginAgain,
    Busy,
    CoolingDown,
    DeviceError,
    Exhausted,
    InvalidRequest,
    NotVerified,
    NoVault,
    OutcomeUnknown,
    RateLimited,
    ReleaseQuotaUsed,
    StrongroomError,
    Unavailable,
    VaultExists,
    VaultFault,
    VaultRefused,
)
from strongroom_client.steps import Rpc
from strongroom_client.transport import Address, AsyncGrpcConnection, GrpcConnection
from tests.fakes.grpc_vault import ServedVault, ToldStatus, served
from tests.fakes.vault import FakeVault

TOKEN = AccountTokenFrom(lambda: "header.claims.signature")
INFO = vault_service_pb2.GetServiceInfoRequest(nonce=b"n" * 32)
RELEASE = vault_service_pb2.ReleaseEnvelopeRequest()
CODE = grpc.StatusCode


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[ServedVault]:
    with served(FakeVault(), tmp_path) as vault:
        yield vault


@pytest.fixture
def address(vault: ServedVault) -> Address:
    return Address(target=vault.target, root_certificates=vault.root_certificates)


@pytest.fixture
def connection(address: Address) -> Iterator[GrpcConnection]:
    connection = GrpcConnection(address, account_token=TOKEN)
    yield connection
    connection.close()


def told(code: grpc.StatusCode, reason: str, *more: Message) -> ToldStatus:
    return ToldStatus(code, (error_details_pb2.ErrorInfo(reason=reason, domain="strongroom"), *more))


def end_with(vault: ServedVault, status: ToldStatus) -> None:
    def end(_: Rpc) -> None:
        raise status

    vault.before = end


def test_every_call_carries_token_and_deadline(vault: ServedVault, connection: GrpcConnection) -> None:
    assert isinstance(connection.call(Rpc.GET_SERVICE_INFO, INFO), vault_service_pb2.GetServiceInfoResponse)
    assert vault.tokens == ["Bearer header.claims.signature"]
    assert vault.deadlines[0] is not None
    assert 0 < vault.deadlines[0] <= 10


def test_vault_with_a_certificate_of_another_authority_is_not_talked_to(address: Address, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with served(FakeVault(), other) as stranger:
        connection = GrpcConnection(replace(address, target=stranger.target, deadline_seconds=2), account_token=TOKEN)
        with pytest.raises(Unavailable):
            connection.call(Rpc.GET_SERVICE_INFO, INFO)
        connection.close()
        assert stranger.tokens == []


def test_missing_root_certificates_are_said(address: Address, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="root certificates"):
        GrpcConnection(replace(address, root_certificates=tmp_path / "missing"), account_token=TOKEN)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (told(CODE.UNAUTHENTICATED, "TOKEN_REJECTED"), AccountTokenRejected),
        (told(CODE.ABORTED, "BEGIN_AGAIN"), BeginAgain),
        (told(CODE.FAILED_PRECONDITION, "CEREMONY_EXPIRED"), BeginAgain),
        (told(CODE.PERMISSION_DENIED, "NOT_VERIFIED"), NotVerified),
        (told(CODE.FAILED_PRECONDITION, "NO_VAULT"), NoVault),
        (told(CODE.ALREADY_EXISTS, "VAULT_EXISTS"), VaultExists),
        (told(CODE.FAILED_PRECONDITION, "VAULT_EXHAUSTED"), Exhausted),
        (told(CODE.RESOURCE_EXHAUSTED, "COOLING_DOWN"), CoolingDown),
        (told(CODE.RESOURCE_EXHAUSTED, "RELEASE_QUOTA"), ReleaseQuotaUsed),
        (told(CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED"), RateLimited),
        (told(CODE.RESOURCE_EXHAUSTED, "BUSY"), Busy),
        (told(CODE.PERMISSION_DENIED, "CEREMONY_REJECTED"), VaultRefused),
        (told(CODE.UNIMPLEMENTED, "A_REASON_OF_LATER"), VaultRefused),
        (told(CODE.UNAVAILABLE, "UNAVAILABLE"), Unavailable),
        (told(CODE.UNAVAILABLE, "OUTCOME_UNKNOWN"), OutcomeUnknown),
        (told(CODE.DATA_LOSS, "RECORD_REJECTED"), VaultFault),
        (told(CODE.INTERNAL, "INTERNAL"), VaultFault),
        (ToldStatus(CODE.UNAVAILABLE), Unavailable),
        (ToldStatus(CODE.DEADLINE_EXCEEDED), Unavailable),
        (ToldStatus(CODE.INTERNAL), VaultFault),
        (ToldStatus(CODE.UNIMPLEMENTED), VaultFault),
        (ToldStatus(CODE.UNAUTHENTICATED), AccountTokenRejected),
        (ToldStatus(CODE.RESOURCE_EXHAUSTED), Busy),
        (ToldStatus(CODE.PERMISSION_DENIED), VaultRefused),
        (ToldStatus(CODE.ABORTED, (error_details_pb2.ErrorInfo(reason="BEGIN_AGAIN", domain="other"),)), VaultRefused),
    ],
)
def test_status_becomes_this_error(
    vault: ServedVault, connection: GrpcConnection, status: ToldStatus, expected: type[StrongroomError]
) -> None:
    end_with(vault, status)
    with pytest.raises(StrongroomError) as caught:
        connection.call(Rpc.RELEASE_ENVELOPE, RELEASE)
    assert type(caught.value) is expected
    assert "what the server wrote" not in str(caught.value)
    assert "header.claims.signature" not in repr(caught.value)


def test_cool_down_says_how_long(vault: ServedVault, connection: GrpcConnection) -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=61, nanos=500_000_000))
    end_with(vault, told(CODE.RESOURCE_EXHAUSTED, "COOLING_DOWN", retry))
    with pytest.raises(CoolingDown) as caught:
        connection.call(Rpc.RELEASE_ENVELOPE, RELEASE)
    assert caught.value.retry_after_seconds == 61.5


def test_invalid_field_is_named(vault: ServedVault, connection: GrpcConnection) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="nonce", description="must be 32 bytes")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    end_with(vault, told(CODE.INVALID_ARGUMENT, "INVALID_FIELD", bad))
    with pytest.raises(InvalidRequest, match="nonce must be 32 bytes") as caught:
        connection.call(Rpc.RELEASE_ENVELOPE, RELEASE)
    assert caught.value.violations == (("nonce", "must be 32 bytes"),)


@pytest.mark.parametrize(
    ("rpc", "request_message", "tries"),
    [
        (Rpc.GET_SERVICE_INFO, INFO, 4),
        (Rpc.GET_VAULT, vault_service_pb2.GetVaultRequest(), 4),
        (Rpc.LIST_EVENTS, vault_service_pb2.ListEventsRequest(), 4),
        (Rpc.BEGIN_CEREMONY, vault_service_pb2.BeginCeremonyRequest(), 4),
        (Rpc.COMPLETE_REGISTRATION, vault_service_pb2.CompleteRegistrationRequest(), 1),
        (Rpc.STORE_ENVELOPE, vault_service_pb2.StoreEnvelopeRequest(), 1),
        (Rpc.RELEASE_ENVELOPE, RELEASE, 1),
        (Rpc.DELETE_VAULT, vault_service_pb2.DeleteVaultRequest(), 1),
    ],
)
def test_channel_repeats_only_calls_that_change_nothing(
    vault: ServedVault, connection: GrpcConnection, rpc: Rpc, request_message: Message, tries: int
) -> None:
    end_with(vault, told(CODE.UNAVAILABLE, "UNAVAILABLE"))
    with pytest.raises(Unavailable):
        connection.call(rpc, request_message)
    assert len(vault.tokens) == tries


def test_call_that_a_stopping_replica_never_came_to_is_repeated_like_one_that_was_not_answered(
    vault: ServedVault, connection: GrpcConnection
) -> None:
    end_with(vault, ToldStatus(CODE.CANCELLED))
    with pytest.raises(Unavailable):
        connection.call(Rpc.BEGIN_CEREMONY, vault_service_pb2.BeginCeremonyRequest())
    assert len(vault.tokens) == 4


async def test_asynchronous_connection_calls_and_translates_alike(vault: ServedVault, address: Address) -> None:
    connection = AsyncGrpcConnection(address, account_token=TOKEN)
    assert isinstance(await connection.call(Rpc.GET_SERVICE_INFO, INFO), vault_service_pb2.GetServiceInfoResponse)
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=5))
    end_with(vault, told(CODE.RESOURCE_EXHAUSTED, "BUSY", retry))
    with pytest.raises(Busy) as caught:
        await connection.call(Rpc.RELEASE_ENVELOPE, RELEASE)
    assert caught.value.retry_after_seconds == 5
    assert vault.tokens == ["Bearer header.claims.signature"] * 2
    await connection.close()


def test_account_token_file_is_read_anew_for_every_call(tmp_path: Path) -> None:
    path = tmp_path / "token"
    source = AccountTokenFile(path)
    for token in ("first.token", "second.token"):
        path.write_text(f"{token}\n")
        assert source() == token


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 9000])
def test_what_is_no_account_token_is_not_sent(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(AccountTokenMissing):
        AccountTokenFile(path)()
    with pytest.raises(AccountTokenMissing):
        AccountTokenFile(tmp_path / "missing")()


def test_account_token_is_hidden(connection: GrpcConnection) -> None:
    assert "signature" not in repr(TOKEN) + repr(vars(connection))
