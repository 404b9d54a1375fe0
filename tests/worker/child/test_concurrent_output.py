"""Output of many jobs on one pipe: each text has the ordinal of its job."""

from __future__ import annotations

import os

import pytest
from tq.worker.child import concurrent_output
from tq.worker.child.concurrent_output import ConcurrentWriter
from tq.worker.child.output_marks import TO_STDERR, Splitter

NONCE = b"8 random"


@pytest.fixture
def wrote(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """What the other side reads, joined by ordinal."""
    texts: list[tuple[int, bytes]] = []
    splitter = Splitter(NONCE)

    def write(descriptor: int, data: bytes) -> int:
        assert len(data) <= 4096  # what a pipe takes whole
        texts.extend(splitter.feed(data))
        return len(data)

    monkeypatch.setattr(concurrent_output.os, "write", write)
    return texts


def test_lines_are_written_whole_and_the_rest_of_a_line_at_the_end_of_its_job(
    wrote: list[tuple[int, bytes]],
) -> None:
    at = 1
    writer = ConcurrentWriter(NONCE, lambda: at)
    writer.write(1, b"of the fir")
    at = 2
    writer.write(1, b"of the second\nand")
    at = 1
    writer.write(1, b"st\n")
    assert wrote == [(2, b"of the second\n"), (1, b"of the first\n")]
    writer.finish(2)
    assert wrote[2:] == [(2, b"and")]
    writer.finish(1)
    assert len(wrote) == 3


def test_what_goes_to_stderr_says_so_and_a_long_text_goes_in_portions(wrote: list[tuple[int, bytes]]) -> None:
    writer = ConcurrentWriter(NONCE, lambda: 7)
    writer.write(2, b"x" * 20_000)
    assert {ordinal for ordinal, _ in wrote} == {7 | TO_STDERR}
    assert b"".join(text for _, text in wrote) == b"x" * 20_000


def test_a_fork_writes_nothing_of_what_was_held(wrote: list[tuple[int, bytes]]) -> None:
    writer = ConcurrentWriter(NONCE, lambda: 1)
    writer.write(1, b"held")
    writer.forked()
    writer.finish_all()
    assert wrote == []


def test_the_pipe_is_used_although_a_task_redirects_its_streams() -> None:
    reader, end = os.pipe()
    kept = os.dup(2)
    try:
        os.dup2(end, 2)
        writer = ConcurrentWriter(NONCE, lambda: 1)
        os.dup2(kept, 2)
        writer.write(1, b"words\n")
        assert list(Splitter(NONCE).feed(os.read(reader, 100))) == [(1, b"words\n")]
    finally:
        os.close(kept)
