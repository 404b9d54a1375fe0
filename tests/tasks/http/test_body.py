"""Bodies: unpacked within a bound, large ones in a file, text in the encodings of the web."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.tasks.http.body import ENCODINGS, INLINE_BYTES_MAX, STEP_BYTES, Body, Unpacking, encoding_of
from tq.tasks.http.ends import Refused


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=2_000), st.integers(1, 50), st.sampled_from(["gzip", "deflate", "bare"]))
def test_what_was_packed_comes_out_whatever_it_is_cut_into(data: bytes, size: int, how: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "bare": bare}[how](data)
    unpacking = Unpacking("gzip" if how == "gzip" else "deflate")
    out = b"".join(
        piece for at in range(0, len(packed), size) for piece in unpacking.feed(packed[at : at + size])
    )
    assert out == data
    assert unpacking.is_complete


def test_members_of_a_gzip_file_follow_one_another_and_what_is_no_member_is_left_out() -> None:
    packed = gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0rest"
    assert b"".join(Unpacking("gzip").feed(packed)) == b"ab"


def test_a_file_of_many_members_is_unpacked_if_there_is_something_in_them() -> None:
    assert sum(map(len, Unpacking("gzip").feed(gzip.compress(bytes(2_000)) * 1_000))) == 2_000_000
    with pytest.raises(Refused, match="more than 100 parts"):
        list(Unpacking("gzip").feed(gzip.compress(b"") * 1_000))


def test_a_bomb_comes_out_in_steps_and_ends_at_the_bound() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    body, largest = Body(1_000_000), 0

    def take() -> None:
        nonlocal largest
        for piece in Unpacking("gzip").feed(bomb):
            largest = max(largest, len(piece))
            body.put(piece)

    with pytest.raises(Refused, match="more than max_bytes, which is 1,000,000"):
        take()
    body.close()
    assert body.size <= 1_000_000 + STEP_BYTES
    assert largest <= STEP_BYTES


def test_what_is_cut_off_or_damaged_is_noticed() -> None:
    packed = gzip.compress(b"abc" * 1000)
    cut = Unpacking("gzip")
    list(cut.feed(packed[:-4]))
    assert not cut.is_complete
    with pytest.raises(zlib.error):
        list(Unpacking("gzip").feed(b"no gzip at all"))
    with pytest.raises(zlib.error):
        list(Unpacking("gzip").feed(packed[:-8] + bytes(8)))


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1])
def test_a_large_body_is_kept_in_a_file(size: int) -> None:
    body = Body(10 * INLINE_BYTES_MAX)
    for at in range(0, size, 100_000):
        body.put(b"x" * min(100_000, size - at))
    assert body.is_large == (size > INLINE_BYTES_MAX)
    assert body.blob().read() == b"x" * size
    assert body.is_large or body.content() == b"x" * size
    body.close()


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("text/html", "utf-8"),
        ("Text/HTML; Charset=ISO-8859-1", "iso-8859-1"),
        ('application/json; charset="utf-16"', "utf-16"),
        ("application/ld+json", "utf-8"),
        ("image/svg+xml", "utf-8"),
        ("text/plain;charset=windows-1252", "windows-1252"),
        *(
            (kind, None)
            for kind in ("", "image/png", "application/octet-stream", "text/plain; charset=rot13")
        ),
        *(
            (f"text/plain; charset={name}", None)
            for name in ("zlib", "hex", "idna", "unicode_escape", "utf-7", "../x")
        ),
    ],
)
def test_only_encodings_of_the_web_make_text(kind: str, encoding: str | None) -> None:
    assert encoding_of(kind) == encoding


def test_every_encoding_that_is_named_is_one_of_python_and_makes_text_that_can_be_stored() -> None:
    for name in ENCODINGS.values():
        for data in (bytes(range(256)), b"\xd8\x00", b"\x00\xd8", b"+2AA-", b"\xed\xa0\x80"):
            data.decode(name, "replace").encode("utf-8")
