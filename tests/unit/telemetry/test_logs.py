from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import structlog

from strongroom_service.telemetry.logs import bound_request, configure_logging, get_logger
from tests.fakes.tenant import FakeTenant

TOKEN = FakeTenant().sign({"alg": "ES256", "kid": "ec"}, {"sub": "alice"})


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("front", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(stream: io.StringIO, **values: object) -> dict[str, Any]:
    get_logger().info("something_happened", **values)
    return lines(stream)[-1]


def test_line_is_json_with_time_level_event_and_process(stream: io.StringIO) -> None:
    line = logged(stream, version=7, path=Path("/run"), ready=True)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "event": "something_happened",
        "process": "front",
        "version": 7,
        "path": "/run",
        "ready": True,
    }


async def test_request_id_is_on_every_line_of_its_request_and_no_other(stream: io.StringIO) -> None:
    async def request(request_id: str) -> None:
        with bound_request(request_id):
            get_logger().info("begun")
            await asyncio.sleep(0)
            await asyncio.create_task(inner())

    async def inner() -> None:
        get_logger().info("inner")

    await asyncio.gather(request("one"), request("two"))
    get_logger().info("outside")

    told = [(line["event"], line.get("request_id")) for line in lines(stream)]
    assert sorted(told, key=str) == [
        ("begun", "one"),
        ("begun", "two"),
        ("inner", "one"),
        ("inner", "two"),
        ("outside", None),
    ]


def test_debug_lines_are_not_written_by_default(stream: io.StringIO) -> None:
    get_logger().debug("detail")

    assert not lines(stream)


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "account_token",
        "Authorization",
        "pin",
        "user_pin",
        "PIN",
        "password",
        "key",
        "private_key",
        "privateKey",
        "cose_key",
        "id_key",
        "secret",
        "client_secret",
        "secret_bytes",
        "assertion",
        "signature",
        "envelope",
        "sealed_envelope",
        "sealed",
        "plaintext",
        "prf",
        "prfOutput",
        "account",
        "sub",
        "client-data",
        "user_handle",
        "recovery_key",
        "seed",
    ],
)
def test_value_whose_key_names_a_secret_is_masked(stream: io.StringIO, key: str) -> None:
    assert logged(stream, **{key: "hunter2"})[key] == "[redacted]"
    assert logged(stream, outer={"inner": [{key: "hunter2"}]})["outer"]["inner"][0][key] == "[redacted]"
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    ["token_label", "pin_file", "key_epoch", "key_purpose", "envelope_size", "tenant", "record_id", "monkey", "spine"],
)
def test_value_that_speaks_about_a_secret_is_shown(stream: io.StringIO, key: str) -> None:
    assert logged(stream, **{key: "shown"})[key] == "shown"


@pytest.mark.parametrize("value", [b"hunter2", bytearray(b"hunter2"), memoryview(b"hunter2")])
def test_of_bytes_only_the_length_is_shown(stream: io.StringIO, value: bytes | bytearray | memoryview) -> None:
    assert logged(stream, found=value)["found"] == "<7 bytes>"
    assert logged(stream, found=[(value,)])["found"] == [["<7 bytes>"]]
    assert logged(stream, found={bytes(value): 1})["found"] == {"<7 bytes>": 1}
    assert "hunter2" not in stream.getvalue()


class Colour(Enum):
    RED = "hunter2"


class Talkative:
    def __repr__(self) -> str:
        return "hunter2"


def test_of_objects_only_the_type_is_shown(stream: io.StringIO) -> None:
    line = logged(
        stream, a=Talkative(), b=ValueError("hunter2"), c=Colour.RED, d={Talkative(): 1}, e=[[[[["hunter3"]]]]]
    )

    assert (line["a"], line["b"], line["c"]) == ("<Talkative>", "<ValueError>", "RED")
    assert line["d"] == {"<Talkative>": 1}
    assert line["e"] == [[[["<list>"]]]]
    assert not re.search("hunter", stream.getvalue())


def test_what_looks_like_a_secret_is_masked_wherever_it_stands(stream: io.StringIO) -> None:
    identity = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWKT8K"
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----\n"

    line = logged(stream, found=f"Bearer {TOKEN} and {identity.lower()}, {pem} end")
    get_logger().info(f"token was {TOKEN}")

    assert line["found"] == "Bearer [redacted] and [redacted], [redacted]\n end"
    assert lines(stream)[-1]["event"] == "token was [redacted]"


def test_line_cannot_be_forged_by_what_is_logged(stream: io.StringIO) -> None:
    logged(stream, path='x"}\n{"event": "all_is_well"}\u2028')

    assert len(stream.getvalue().splitlines()) == 1


def test_exception_is_logged_with_its_traceback_but_without_variables(stream: io.StringIO) -> None:
    def fail(pin: str) -> None:
        raise RuntimeError(f"token {TOKEN} refused")

    try:
        fail("hunter2")
    except RuntimeError:
        get_logger().exception("call_failed")

    [line] = lines(stream)
    assert line["level"] == "error"
    assert "RuntimeError: token [redacted] refused" in line["exception"]
    assert "in fail" in line["exception"]
    assert TOKEN not in stream.getvalue()


def test_what_libraries_log_has_the_same_form_and_redaction(stream: io.StringIO) -> None:
    log = logging.getLogger("grpc._cython.cygrpc")
    log.info("not written")
    log.error("call with %s failed", TOKEN, extra={"authorization": "hunter2"})

    [line] = lines(stream)
    assert line["event"] == "call with [redacted] failed"
    assert line["logger"] == "grpc._cython.cygrpc"
    assert (line["level"], line["process"], line["authorization"]) == ("error", "front", "[redacted]")


def test_exception_that_a_library_logs_is_on_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logging.getLogger("asyncio").exception("never retrieved")

    [line] = lines(stream)
    assert "ValueError: [redacted]" in line["exception"]


def test_python_warnings_are_log_lines(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", UserWarning, stacklevel=1)

    [line] = lines(stream)
    assert "old thing" in line["event"]
