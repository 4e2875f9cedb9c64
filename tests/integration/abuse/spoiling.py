"""Every way to spoil one field of a message, by what the field holds; found by walking the descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

MARK = b"hostile-mark"
HUGE_BYTES = 50_000
UNKNOWN_FIELD = bytes.fromhex("c2bb02") + bytes((len(MARK),)) + MARK  # number 5000, length-delimited

BYTES, TEXT, BRANCH = FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE
LARGEST = {
    FieldDescriptor.TYPE_UINT32: 2**32 - 1,
    FieldDescriptor.TYPE_UINT64: 2**64 - 1,
    FieldDescriptor.TYPE_ENUM: 2**31 - 1,
}


@dataclass(frozen=True)
class Abuse:
    """One field, spoilt in one way. `spoil` changes a request."""

    path: str
    way: str
    spoil: Callable[[Message], None]

    def __str__(self) -> str:
        return f"{self.path}: {self.way}"


def paths(descriptor: Descriptor, *, prefix: str = "") -> list[str]:
    """Every field below a message type, by its proto path; messages and what is in them alike."""
    found = []
    for field in descriptor.fields:
        found.append(prefix + field.name)
        if field.message_type is not None:
            found += paths(field.message_type, prefix=f"{prefix}{field.name}.")
    return found


def abuses(descriptor: Descriptor, *, prefix: str = "") -> Iterator[Abuse]:
    """Every field spoilt in every way that its type has, and a field that no release knows in every message."""
    unknown = _into(prefix, lambda message: message.MergeFromString(UNKNOWN_FIELD))
    yield Abuse(prefix.removesuffix("."), "unknown field", unknown)
    for field in descriptor.fields:
        path = prefix + field.name
        for way, value in _values(field):
            yield Abuse(path, way, _into(prefix, _setting(field, value)))
        if field.type == BYTES and not field.is_repeated:
            yield Abuse(path, "other content", _into(prefix, _with_other_content(field)))
            yield Abuse(path, "a byte less", _into(prefix, _resized(field, -1)))
            yield Abuse(path, "a byte more", _into(prefix, _resized(field, 1)))
        if field.message_type is not None:
            yield from abuses(field.message_type, prefix=f"{path}.")


def _values(field: FieldDescriptor) -> list[tuple[str, object]]:
    """Values that may stand there by type and mean nothing; None takes the field away."""
    huge = (MARK * (HUGE_BYTES // len(MARK)))[:HUGE_BYTES]
    if field.is_repeated:
        element: list[object] = [MARK.decode()] if field.type == TEXT else [LARGEST.get(field.type, 1)]
        return [("none", []), ("thousand", element * 1_000), ("strange", element)]
    if field.type == BYTES:
        return [("empty", b""), ("huge", huge), ("one byte", b"h")]
    if field.type == TEXT:
        mark = MARK.decode()
        return [("empty", ""), ("huge", huge.decode()), ("control characters", f"{mark}\0\n"), ("strange", f"{mark} ☃")]
    if field.message_type is not None:
        return [("absent", None), ("empty", GetMessageClass(field.message_type)())]
    largest = LARGEST[field.type]
    return [("zero", 0), ("one more than known", 77), ("largest", largest)]


def _setting(field: FieldDescriptor, value: object) -> Callable[[Any], None]:
    def set_it(message: Any) -> None:  # noqa: ANN401  whatever message has the field
        message.ClearField(field.name)
        if field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.type == BRANCH:
            if value is not None:
                getattr(message, field.name).CopyFrom(value)
                getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, value)

    return set_it


def _with_other_content(field: FieldDescriptor) -> Callable[[Any], None]:
    def change(message: Any) -> None:  # noqa: ANN401  whatever message has the field
        size = len(getattr(message, field.name))
        setattr(message, field.name, (MARK * (size // len(MARK) + 1))[:size])

    return change


def _resized(field: FieldDescriptor, by: int) -> Callable[[Any], None]:
    def resize(message: Any) -> None:  # noqa: ANN401  whatever message has the field
        held = getattr(message, field.name)
        setattr(message, field.name, held[:by] if by < 0 else held + bytes(by))

    return resize


def _into(prefix: str, spoil: Callable[[Any], object]) -> Callable[[Message], None]:
    """Return what applies `spoil` to the message below `prefix`."""

    def spoil_there(message: Any) -> None:  # noqa: ANN401  whatever is on the way
        for name in prefix.split(".")[:-1]:
            message = getattr(message, name)
        spoil(message)

    return spoil_there
