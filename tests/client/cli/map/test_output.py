"""Standard output as a pipe, as a file and closed: every byte once, and each record when its bytes are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.client.cli.map.output import Output


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        if descriptor > 2:
            os.close(descriptor)


def lines(count: int, size: int) -> list[bytes]:
    return [b"%d " % number + b"x" * size + b"\n" for number in range(count)]


@pytest.mark.parametrize(("count", "size"), [(50_000, 3), (3, 300_000), (40, 10_000)])
def test_a_pipe_takes_what_it_can_and_never_blocks(pipe: tuple[int, int], count: int, size: int) -> None:
    reader, writer = pipe
    output, sent, got, records = Output(writer), lines(count, size), b"", list[int]()
    for number, line in enumerate(sent, 1):
        output.put(line, number, 7, True)
    while output.waiting_bytes:
        written = output.write()
        records += [record.number for record in written]
        assert not written or written[-1].shown <= output.shown
        got += os.read(reader, 65_536)
    assert records == list(range(1, count + 1))
    while len(got) < output.shown:
        got += os.read(reader, 65_536)
    assert got == b"".join(sent)


def test_a_line_that_shows_nothing_is_out_with_the_one_before(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    output.put(b"", 1, 7, False)
    output.put(b"ab", 2, 7, True)
    output.put(b"", 3, 7, False)
    assert [(record.number, record.shown) for record in output.write()] == [(1, 0), (2, 2), (3, 2)]


def test_a_file_is_gone_on_with_at_its_end_and_can_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before\ntorn")
    with path.open("ab") as file:
        output = Output(file.fileno())
        assert (output.is_file, output.size) == (True, 11)
        output.cut(7)
        output.put(b"new\n", 1, 7, True)
        assert [record.shown for record in output.write()] == [11]
    assert path.read_bytes() == b"before\nnew\n"


def test_a_reader_that_is_gone_is_reported() -> None:
    reader, writer = os.pipe()
    output = Output(writer)
    os.close(reader)
    output.put(b"x", 1, 7, True)
    with pytest.raises(BrokenPipeError):
        output.write()
    os.close(writer)
