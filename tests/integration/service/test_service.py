"""The whole service: a front, two keepers, a SoftHSM token, a database on disk.

One contract for both listeners: every test runs over gRPC, and over all that browsers may speak.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2

from deploy.development.environment import DevelopmentVault
from strongroom.v1 import resources_pb2
from strongroom.v1 import vault_service_pb2 as pb
from tests.fakes.connect_stub import Wire
from tests.fakes.hand_client import HandClient, Told
from tests.fakes.passkey import Forgery

WAYS = [
    pytest.param(None, id="grpc"),
    *(
        pytest.param(wire, id=wire.name.lower(), marks=[pytest.mark.verify] if wire is Wire.GRPC_WEB_JSON else [])
        for wire in Wire
    ),
]


@pytest.fixture(params=WAYS)
def client(development_vault: DevelopmentVault, request: pytest.FixtureRequest) -> Iterator[HandClient]:
    with HandClient(development_vault, wire=request.param) as client:
        yield client


def test_service_describes_itself_with_keys_and_policy(client: HandClient) -> None:
    info = client.service_info()
    assert (info.tenant, info.rp_id, list(info.origins)) == ("notes", "localhost", ["http://localhost"])
    bundle = resources_pb2.KeyBundle.FromString(info.key_bundle.bundle)
    fingerprint = bundle.identity_keys[0].fingerprint.hex()
    assert fingerprint in client.vault.pins


def test_account_that_never_enrolled_has_no_vault(client: HandClient) -> None:
    reply = client.vault_reply()
    assert (reply.account, reply.state) == (client.account, resources_pb2.VAULT_STATE_NONE)


def test_envelope_comes_back_as_it_was_stored(client: HandClient) -> None:
    envelope = os.urandom(4_000)
    client.enroll(envelope)
    assert client.release() == [envelope]


def test_largest_envelope_fits_through(client: HandClient) -> None:
    envelope = os.urandom(16 * 1024)
    client.enroll(envelope)
    assert client.release() == [envelope]


def test_answer_of_a_release_can_be_asked_for_again(client: HandClient) -> None:
    client.enroll()
    begun = client.begin_release()
    request = client.release_request(begun)
    first, second = client.call("ReleaseEnvelope", request), client.call("ReleaseEnvelope", request)
    assert client.open_release(begun, first) == client.open_release(begun, second) == [b"an envelope"]
    assert first.receipt.version == second.receipt.version


def test_wrong_signature_is_refused_and_counted(client: HandClient) -> None:
    client.enroll()
    before = client.vault_reply().attempts_left
    with pytest.raises(Told) as told:
        client.release(Forgery(unsigned=True))
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_VERIFIED")
    assert client.vault_reply().attempts_left == before - 1
    assert client.release() == [b"an envelope"]


def test_cool_down_tells_how_long_to_wait(client: HandClient) -> None:
    client.enroll()
    for _ in range(4):
        with pytest.raises(Told, match="PERMISSION_DENIED"):
            client.release(Forgery(unsigned=True))
    with pytest.raises(Told) as told:
        client.release()
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "COOLING_DOWN")
    assert 0 < told.value.detail(error_details_pb2.RetryInfo).retry_delay.seconds <= 60
    assert told.value.detail(error_details_pb2.QuotaFailure) is not None


def test_ceremony_dies_with_its_first_use(client: HandClient) -> None:
    client.enroll()
    begun = client.begin_release()
    with pytest.raises(Told, match="PERMISSION_DENIED"):
        client.call("ReleaseEnvelope", client.release_request(begun, Forgery(unsigned=True)))
    with pytest.raises(Told) as told:
        client.call("ReleaseEnvelope", client.release_request(begun))
    assert told.value.reason in {"BEGIN_AGAIN", "CEREMONY_REJECTED"}


def test_history_pages_without_a_gap(client: HandClient) -> None:
    client.enroll(os.urandom(1_000))
    for _ in range(35):
        client.store(b"again")
    versions: list[int] = []
    page = client.events()
    pages = 1
    versions += [event.version for event in page.events]
    while page.next_page_token:
        page = client.events(page.next_page_token)
        versions += [event.version for event in page.events]
        pages += 1
    assert versions == list(range(37, 0, -1))
    assert pages > 1


@pytest.mark.parametrize("token", [b"x", bytes(72), bytes(200)])
def test_page_token_that_no_keeper_made_is_an_invalid_field(client: HandClient, token: bytes) -> None:
    client.register()
    with pytest.raises(Told) as told:
        client.events(token)
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


def test_deleted_vault_releases_nothing(client: HandClient) -> None:
    client.enroll()
    client.delete()
    assert client.vault_reply().state == resources_pb2.VAULT_STATE_DELETED
    with pytest.raises(Told) as told:
        client.begin_release()
    assert told.value.reason == "NO_VAULT"


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer garbage"),),
        (("authorization", "Basic YWxpY2U6c2VjcmV0"),),
        (("authorization", ""),),
    ],
)
def test_without_a_good_token_nobody_learns_anything(client: HandClient, metadata: tuple[tuple[str, str], ...]) -> None:
    client.metadata = metadata
    with pytest.raises(Told) as told:
        client.call("GetVault", pb.GetVaultRequest())  # its nonce is missing too, which only a caller may be told
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REJECTED")
    assert told.value.text == "The account token was not accepted."
    assert [each.type_url for each in told.value.status.details] == ["type.googleapis.com/google.rpc.ErrorInfo"]


def test_two_authorization_headers_are_rejected_even_if_both_are_good(client: HandClient) -> None:
    client.metadata *= 2
    with pytest.raises(Told, match="UNAUTHENTICATED"):
        client.vault_reply()


def test_missing_field_is_named(client: HandClient) -> None:
    with pytest.raises(Told) as told:
        client.call("GetVault", pb.GetVaultRequest(nonce=b"short"))
    assert told.value.code is grpc.StatusCode.INVALID_ARGUMENT
    [violation] = told.value.detail(error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("nonce", "must be 32 bytes")


def test_call_without_a_deadline_is_refused(client: HandClient) -> None:
    client.deadline = None
    with pytest.raises(Told) as told:
        client.vault_reply()
    assert (told.value.code, told.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DEADLINE_REQUIRED")


def test_long_deadline_is_taken(client: HandClient) -> None:
    client.deadline = 3_600.0
    assert client.vault_reply().account == client.account


def test_message_above_the_limit_is_refused(client: HandClient) -> None:
    with pytest.raises(Told) as told:
        client.call("BeginCeremony", pb.BeginCeremonyRequest(request=bytes(140_000)))
    assert told.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_request_id_of_the_caller_comes_back(client: HandClient) -> None:
    client.metadata = (("x-request-id", "trace-me_1"),)
    with pytest.raises(Told) as told:
        client.vault_reply()
    assert str(told.value.trailers["x-request-id"]) == "trace-me_1"


def test_unfit_request_id_is_replaced(client: HandClient) -> None:
    client.metadata = (("x-request-id", 'x" injected="1'),)
    with pytest.raises(Told) as told:
        client.vault_reply()
    assert 1 <= len(told.value.trailers["x-request-id"]) <= 64
    assert "injected" not in str(told.value.trailers["x-request-id"])


def test_log_has_a_line_for_the_call_and_no_account_or_token(client: HandClient) -> None:
    client.metadata = (*client.metadata, ("x-request-id", f"log-{client.account}"[:64].replace("account", "a")))
    client.enroll()
    text = client.vault.log_file.read_text(encoding="utf-8")
    token = client.metadata[0][1].removeprefix("Bearer ")
    assert '"method": "StoreEnvelope"' in text
    assert client.metadata[-1][1] in text
    assert client.account not in text
    assert token not in text
