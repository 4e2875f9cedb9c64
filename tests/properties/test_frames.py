from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_service.link.frames import FRAME_VERSION, MAX_FRAME_BYTES, FrameError, FrameReader, encode_frame

PAYLOADS = st.lists(st.binary(max_size=300), max_size=8)


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(payloads=PAYLOADS, cuts=st.lists(st.integers(min_value=0), max_size=12))
def test_payloads_come_out_as_they_went_in_wherever_the_stream_is_cut(payloads: list[bytes], cuts: list[int]) -> None:
    reader = FrameReader()
    stream = b"".join(map(encode_frame, payloads))
    assert [payload for piece in pieces_of(stream, cuts) for payload in reader.feed(piece)] == payloads


@given(payload=st.binary(max_size=40))
def test_a_frame_that_comes_byte_by_byte_is_whole_with_its_last_byte_only(payload: bytes) -> None:
    reader = FrameReader()
    *first, last = (bytes([byte]) for byte in encode_frame(payload))
    assert [reader.feed(byte) for byte in first] == [[]] * len(first)
    assert reader.feed(last) == [payload]


@given(noise=st.lists(st.binary(max_size=400), max_size=6))
def test_arbitrary_bytes_are_frames_or_a_frame_error(noise: list[bytes]) -> None:
    reader = FrameReader()
    taken = b""
    try:
        for piece in noise:
            taken += b"".join(map(encode_frame, reader.feed(piece)))
    except FrameError:
        return
    assert b"".join(noise).startswith(taken)  # control: nothing comes out that did not come in


@given(version=st.integers(min_value=0, max_value=255).filter(lambda number: number != FRAME_VERSION))
def test_other_versions_are_refused_before_their_payload_has_come(version: int) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed((1000).to_bytes(4) + bytes([version]))


@pytest.mark.parametrize("length", [0, MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_impossible_lengths_are_refused_before_anything_follows(length: int) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(length.to_bytes(4))


def test_the_largest_frame_passes_and_one_byte_more_does_not() -> None:
    largest = bytes(MAX_FRAME_BYTES - 1)
    assert FrameReader().feed(encode_frame(largest)) == [largest]
    with pytest.raises(FrameError):
        encode_frame(largest + b"\0")


def test_frame_layout_is_length_then_version_then_payload() -> None:
    assert encode_frame(b"abc") == b"\x00\x00\x00\x04\x01abc"
