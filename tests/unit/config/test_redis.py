from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from strongroom_service.config.redis import RedisCounts, TcpAddress, UnixAddress

FOLDER = Path("/etc/strongroom")


def read(**fields: object) -> RedisCounts:
    return RedisCounts.model_validate(fields, context={"folder": FOLDER})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://rates.internal", TcpAddress(host="rates.internal", port=6_379, tls=False)),
        ("redis://127.0.0.1:7000", TcpAddress(host="127.0.0.1", port=7_000, tls=False)),
        ("rediss://[2001:db8::1]:7000", TcpAddress(host="2001:db8::1", port=7_000, tls=True)),
        ("unix:///run/redis/redis.sock", UnixAddress(path=Path("/run/redis/redis.sock"))),
    ],
)
def test_address_is_a_host_or_a_socket(url: str, address: object) -> None:
    assert read(url=url).url == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rates.internal",
        "http://rates.internal",
        "redis://",
        "redis://rates.internal:0",
        "redis://rates.internal:65536",
        "redis://rates.internal/1",
        "redis://rates.internal?db=1",
        "redis://rates.internal\n",
        "unix://run/redis.sock",
        "unix:///run/redis.sock?db=1",
        f"unix:///{'x' * 107}",
        7,
        None,
    ],
)
def test_anything_else_is_refused(url: object) -> None:
    with pytest.raises(ValidationError, match="must be redis://host:port"):
        read(url=url)


@pytest.mark.parametrize("url", ["redis://:hunter2@rates.internal", "redis://rates:hunter2@rates.internal:6379"])
def test_password_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(url=url)
    [fault] = caught.value.errors(include_url=False, include_context=False, include_input=False)
    assert "hunter2" not in str(fault)


def test_password_comes_from_a_file_beside_the_configuration() -> None:
    assert read(url="redis://rates", password_file="redis-password").password_file == FOLDER / "redis-password"


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"password": "hunter2"}, "password"),
        ({"user": "rates"}, "user needs password_file"),
        ({"user": "rates two", "password_file": "p"}, "user"),
        ({"tls_ca_file": "ca.pem"}, "tls_ca_file needs a url of rediss://"),
        ({"database": 16}, "database"),
        ({"timeout_seconds": 0.0}, "timeout_seconds"),
        ({"timeout_seconds": 2.5}, "timeout_seconds"),
        ({"connections": 0}, "connections"),
    ],
)
def test_what_has_no_meaning_is_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        read(url="redis://rates", **fields)
