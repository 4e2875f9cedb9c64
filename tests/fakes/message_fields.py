"""The fields of a message, however deep, so that a test can spoil one and leave the others good."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

BYTES, TEXT = FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING
NUMBERS = {FieldDescriptor.TYPE_UINT64: 64, FieldDescriptor.TYPE_UINT32: 32}
BRANCHES = FieldDescriptor.TYPE_MESSAGE

Leaf = tuple[Message, FieldDescriptor]


def leaves(message: Message) -> list[Leaf]:
    """Every field below `message` that is set and is bytes, text or a number."""
    found: list[Leaf] = []
    for descriptor, value in message.ListFields():
        if descriptor.type != BRANCHES:
            found.append((message, descriptor))
        elif descriptor.is_repeated:
            found += [leaf for each in value for leaf in leaves(each)]
        else:
            found += leaves(value)
    return found
