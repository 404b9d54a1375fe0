from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import InvalidArgument, ProtocolError
from tq.common.wire.frames import HEADER, FrameReader, Kind, encode_frame, pack, unpack

frames = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=300)), max_size=8)


@given(frames, st.lists(st.integers(1, 40), max_size=50))
def test_frames_come_out_whole_and_in_order_however_the_stream_was_cut(
    sent: list[tuple[Kind, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(kind, body) for kind, body in sent)
    reader, got = FrameReader(), []
    for size in [*cuts, len(stream) + 1]:
        piece, stream = stream[:size], stream[size:]
        got += [(kind, bytes(body)) for kind, body in reader.feed(piece)]
    assert got == sent


@pytest.mark.parametrize(("size", "fits"), [(99, True), (100, True), (101, False)])
def test_the_limit_holds_on_both_sides_to_the_byte(size: int, fits: bool) -> None:
    reader = FrameReader(100)
    if fits:
        assert len(reader.feed(encode_frame(Kind.CALL, bytes(size), 100))) == 1
        return
    with pytest.raises(InvalidArgument, match="101 bytes, the limit is 100"):
        encode_frame(Kind.CALL, bytes(size), 100)
    with pytest.raises(ProtocolError, match="101 bytes was announced"):
        reader.feed(HEADER.pack(size, Kind.CALL))


@pytest.mark.parametrize("kind", [0, 15, 255])
def test_an_unknown_kind_is_refused_by_its_header_alone(kind: int) -> None:
    with pytest.raises(ProtocolError, match="unknown"):
        FrameReader().feed(HEADER.pack(0, kind))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x01\x01", b"\x81\x01\x02", b"\xdd\xff\xff\xff\xff", b"\xd4\x01\x00", b"\x91" * 5_000],
)
def test_a_body_that_is_not_plain_msgpack_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(body)


def test_a_body_comes_back() -> None:
    value = [1, "two", b"three", None, {"four": [5.0, True]}]
    assert unpack(pack(value)) == value
