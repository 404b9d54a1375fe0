"""A Blob as programs hold it: what it is made of, what it gives, and how it stands in a message."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tq
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, InvalidArgument, NotSerializable
from tq.common.values import blob as blobs
from tq.common.values.blob import CHUNK_BYTES, WIRE_MARK, Blob, Content, Temporary, fetched_by
from tq.common.values.codec import decode, decode_call, encode, encode_call

from ...properties import examples

DATA = bytes(range(256)) * 5_000  # more than two chunks, and not a whole number of them


class Elsewhere:
    """A fetcher that counts."""

    def __init__(self, data: bytes) -> None:
        self.data, self.fetched = data, 0

    def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
        self.fetched += 1
        write(self.data)

    def fetch(self, blob: Blob) -> Content:
        copy = Temporary()
        self.stream(blob, copy.write)
        return copy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scan.tif"
    path.write_bytes(DATA)
    return path


# made of


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "stream"])
def test_it_is_made_of_a_path_of_bytes_or_of_an_open_file(file: Path, kind: str) -> None:
    with file.open("rb") as opened:
        sources = {"path": file, "text": str(file), "bytes": DATA, "file": opened, "stream": io.BytesIO(DATA)}
        blob = Blob.of(sources[kind])
    assert (blob.size, blob.hash) == (len(DATA), hashlib.blake2b(DATA, digest_size=32).hexdigest())
    assert blob.read() == DATA
    with blob.open() as content:
        content.seek(-3, os.SEEK_END)
        assert (content.read(), content.tell()) == (DATA[-3:], len(DATA))
        content.seek(7)
        assert content.read(5) == DATA[7:12]


def test_of_an_open_file_it_is_what_is_left_to_read() -> None:
    stream = io.BytesIO(b"head and body")
    stream.read(9)
    assert Blob.of(stream).read() == b"body"


def test_blobs_of_the_same_content_are_equal(file: Path) -> None:
    assert len({Blob.of(file), Blob.of(DATA), Blob.of(b"other")}) == 2
    assert Blob.of(DATA) != DATA


def test_it_is_shown_by_its_hash_and_its_size() -> None:
    assert repr(Blob.of(b"")) == "<tq.Blob 0e5751c026e5… of 0 bytes>"


@pytest.mark.parametrize("source", [7, None, [b"x"], bytearray(b"x")])
def test_it_is_made_of_nothing_else(source: Any) -> None:
    with pytest.raises(InvalidArgument, match="made of a path, of bytes or of an open file"):
        Blob.of(source)


def test_a_file_of_text_is_refused_with_the_way_to_open_it() -> None:
    with pytest.raises(InvalidArgument, match="open\\(path, 'rb'\\)"):
        Blob.of(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["path", "bytes", "file"])
def test_more_than_the_limit_is_refused_with_both_sizes(
    file: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "BLOB_BYTES_MAX", len(DATA))
    assert Blob.of(DATA).size == len(DATA)
    monkeypatch.setattr(blobs, "BLOB_BYTES_MAX", len(DATA) - 1)
    source = {"path": file, "bytes": DATA, "file": io.BytesIO(DATA)}[kind]
    with pytest.raises(InvalidArgument, match=r"1,280,000 bytes, a Blob at most 1,279,999; pass a path"):
        Blob.of(source)


@pytest.mark.parametrize("how", ["longer", "touched", "gone"])
def test_a_file_that_has_changed_since_is_reported_when_it_is_read(file: Path, how: str) -> None:
    blob = Blob.of(file)
    if how == "longer":
        file.write_bytes(DATA + b"!")
    elif how == "touched":
        os.utime(file, (1, 1))
    else:
        file.unlink()
    with pytest.raises((InvalidArgument, FileNotFoundError), match=r"has changed since|No such file"):
        blob.open()


# saved


@pytest.mark.parametrize("source", ["here", "elsewhere"])
def test_it_is_saved_whole_in_place_of_what_was_there(tmp_path: Path, source: str) -> None:
    target = tmp_path / "out.tif"
    target.write_bytes(b"old")
    blob = Blob.of(DATA) if source == "here" else Blob(b"h" * 32, len(DATA), fetcher=Elsewhere(DATA))
    blob.save(target)
    assert target.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_fetched_whole_leaves_what_was_there(tmp_path: Path) -> None:
    class Broken(Elsewhere):
        def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
            write(b"half")
            raise DecodeError("it does not have that hash")

    target = tmp_path / "out.tif"
    target.write_bytes(b"old")
    with pytest.raises(DecodeError):
        Blob(b"h" * 32, 8, fetcher=Broken(b"")).save(target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_it_is_fetched_once_however_often_it_is_opened() -> None:
    there = Elsewhere(DATA)
    blob = Blob(b"h" * 32, len(DATA), fetcher=there)
    with blob.open() as first, blob.open() as second:
        assert first.read(3) == second.read(3) == DATA[:3]
    assert blob.read() == DATA
    assert there.fetched == 1


def test_without_a_way_to_its_content_it_says_so() -> None:
    with pytest.raises(InvalidArgument, match="nothing here leads to the content"):
        Blob(b"h" * 32, 8).open()


# in a message


some_blobs = st.builds(Blob, st.binary(min_size=32, max_size=32), st.integers(0, blobs.BLOB_BYTES_MAX))
holders = st.recursive(
    some_blobs,
    lambda inner: st.lists(inner) | st.tuples(inner, st.integers()) | st.dictionaries(st.text("ab"), inner),
)


@examples(50)
@given(holders)
def test_what_holds_blobs_comes_back_and_the_sender_gets_a_list_of_them(value: Any) -> None:
    met: list[Blob] = []
    body = encode(value, blobs=met)
    assert decode(body) == value
    assert bool(met) == (WIRE_MARK in body)
    met_in_call: list[Blob] = []
    args, kwargs = decode_call(encode_call((value,), {"again": value}, (), met_in_call))
    assert (args, kwargs) == ([value], {"again": value})
    assert met_in_call == met + met


@pytest.mark.parametrize("code", [encode, lambda value: encode_call((value,), {})])
def test_where_the_content_is_not_uploaded_it_is_refused(code: Callable[[Any], bytes]) -> None:
    with pytest.raises(
        NotSerializable, match=r"\[1\]: a tq.Blob cannot be sent; the arguments and the results of tasks"
    ):
        code([1, Blob.of(b"x")])
    encode([1], blobs=[])  # and a call after one that failed finds nothing of it


@pytest.mark.parametrize(
    "body", [b"", b"x" * 39, b"x" * 41, b"\xff" * 40, (2**30 + 1).to_bytes(8, "big") + b"h" * 32]
)
def test_what_is_no_size_and_hash_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(bytes((0xC7, len(body), 15)) + body)


def test_it_gets_its_content_from_where_the_message_came() -> None:
    body = encode([Blob.of(b"content")], blobs=[])
    with fetched_by(Elsewhere(b"content")):
        [blob] = decode(body)
    assert blob.read() == b"content"
    assert tq.Blob is Blob


def test_a_chunk_is_what_reads_are_made_of() -> None:
    sizes: list[int] = []
    Blob.of(DATA).stream(lambda data: sizes.append(len(data)))
    assert sizes == [CHUNK_BYTES, CHUNK_BYTES, len(DATA) - 2 * CHUNK_BYTES]
