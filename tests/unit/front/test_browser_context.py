"""Every reason, with its details, reaches a page as it reaches a client of gRPC."""

from __future__ import annotations

from typing import Any, cast

import grpc
import pytest
from connectrpc.errors import ConnectError
from connectrpc.request import Headers, RequestContext
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import status_pb2

from strongroom_service.domain.errors import InvalidField, Reason, Refusal
from strongroom_service.front.browser.context import CODES, ConnectContext
from strongroom_service.front.calls import CallContext
from strongroom_service.front.peers import OTHER_PEER, peer_key
from strongroom_service.front.status import DETAILS_KEY, status_of

ERRORS = [
    *(Refusal(reason, retry_after_ms=90_000) for reason in Reason),
    InvalidField(field="assertion.webauthn.signature", rule="must be 1 to 5120 bytes"),
]


def context(*, client: str | None = "192.0.2.7:50123", timeout_ms: int | None = 5_000) -> RequestContext[Any, Any]:
    return RequestContext(
        method=cast("Any", None),
        http_method="POST",
        request_headers=Headers(
            [("x-request-id", "r-1"), ("authorization", "Bearer a"), ("authorization", "Bearer b")]
        ),
        timeout_ms=timeout_ms,
        client_address=client,
    )


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error.reason.value}{type(error).__name__}")
async def test_reason_is_told_with_all_of_its_details(error: Refusal) -> None:
    status, asked = status_of(error), context()
    call: CallContext = ConnectContext(asked)
    with pytest.raises(ConnectError) as caught:
        await call.abort(status.code, status.text, (("x-request-id", "r-1"), (DETAILS_KEY, status.details)))
    told = caught.value
    assert (told.code.value, told.message) == (status.code.value[1].replace(" ", "_"), status.text)
    whole = status_pb2.Status.FromString(status.details)
    packed = [
        Packed(type_url=f"type.googleapis.com/{each.type_name}", value=each.message_bytes) for each in told.details
    ]
    assert packed == list(whole.details)
    assert len(packed) >= 1
    assert list(asked.response_headers.allitems()) == [("x-request-id", "r-1")]


def test_every_code_of_grpc_has_its_counterpart() -> None:
    assert set(CODES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    assert len(set(CODES.values())) == len(CODES)


def test_of_two_headers_of_one_name_both_are_seen() -> None:
    given = [value for name, value in ConnectContext(context()).invocation_metadata() if name == "authorization"]
    assert given == ["Bearer a", "Bearer b"]


@pytest.mark.parametrize(
    ("client", "key"),
    [
        ("192.0.2.7:50123", "192.0.2.7"),
        ("::ffff:192.0.2.7:50123", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6:50123", "20010db800010002"),
        ("fe80::1%eth0:50123", "fe80000000000000"),
        (None, OTHER_PEER),
    ],
)
def test_peer_is_counted_as_over_grpc(client: str | None, key: str) -> None:
    assert peer_key(ConnectContext(context(client=client)).peer()) == key


def test_call_without_a_deadline_has_none() -> None:
    assert ConnectContext(context(timeout_ms=None)).time_remaining() is None
    remaining = ConnectContext(context()).time_remaining()
    assert remaining is not None
    assert 0 < remaining <= 5
