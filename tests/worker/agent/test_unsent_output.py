"""What running attempts have said: the marks it travels with, what is kept, what is sent and when again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.model import OUTPUT_KEPT_BYTES
from tq.worker.agent import unsent_output as said
from tq.worker.agent.jobs import Job
from tq.worker.agent.unsent_output import CALL_BYTES_MAX, LAST_LINES, ROWS_MAX, UnsentOutput
from tq.worker.child.output_marks import PAGE_BYTES, Splitter, mark, read_progress, write_progress

NONCE = b"\0\x01\0\x01nonc"


def job(number: int = 1, attempt: int = 1) -> Job:
    return Job(number.to_bytes(16, "big"), attempt, b"lease", "q", "m:f", None, b"")


# marks


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    whole: list[tuple[int, bytes]] = []
    for ordinal, text in pieces:
        if whole and whole[-1][0] == ordinal:
            whole[-1] = ordinal, whole[-1][1] + text
        else:
            whole.append((ordinal, text))
    return whole


@given(
    st.lists(st.tuples(st.integers(1, 2**63), st.binary(min_size=1, max_size=20))),
    st.integers(min_value=1, max_value=40),
)
def test_a_stream_says_whose_each_byte_is_however_it_was_cut(
    texts: list[tuple[int, bytes]], size: int
) -> None:
    stream = b"".join(mark(NONCE, ordinal) + text for ordinal, text in texts)
    splitter, pieces = Splitter(NONCE), []
    for at in range(0, len(stream), size):
        pieces += splitter.feed(stream[at : at + size])
    pieces += splitter.feed(b"$")  # what looked like a mark's beginning was none
    assert joined(pieces) == joined([*texts, (texts[-1][0] if texts else 0, b"$")])


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=9))
def test_nothing_that_is_printed_is_held_back_for_long(text: bytes, size: int) -> None:
    splitter = Splitter(b"eight...")
    received = b"".join(
        piece for at in range(0, len(text), size) for _, piece in splitter.feed(text[at : at + size])
    )
    assert text.startswith(received)
    assert len(text) - len(received) <= 8


def test_a_page_says_what_was_written_last() -> None:
    page = bytearray(PAGE_BYTES)
    assert read_progress(page) is None
    write_progress(page, 7, [1, 2.5, "x" * 200])
    write_progress(page, 8, [2, None, ""])
    assert read_progress(page) == (8, [2, None, ""])


@given(st.binary(max_size=40))
def test_a_page_that_a_task_has_spoilt_says_nothing_or_something(start: bytes) -> None:
    read_progress(bytearray(start.ljust(PAGE_BYTES, b"x")))


# what is kept and sent


def test_what_is_new_is_sent_once() -> None:
    all = UnsentOutput()
    all.text(job(), b"one\n")
    all.progress(job(), [1, 2, ""])
    assert all.has_unsent
    assert all.take() == [[job().id, 1, b"lease", 4, b"one\n", [1, 2, ""]]]
    assert (all.has_unsent, all.take()) == (False, [])
    all.text(job(), b"two\n")
    assert all.take() == [[job().id, 1, b"lease", 8, b"two\n", None]]


def test_the_same_progress_again_is_no_news() -> None:
    all = UnsentOutput()
    all.progress(job(), [1, 2, ""])
    all.take()
    all.progress(job(), [1, 2, ""])
    assert not all.has_unsent


def test_of_an_attempt_the_end_is_kept() -> None:
    all = UnsentOutput()
    all.text(job(), b"x" * OUTPUT_KEPT_BYTES)
    all.text(job(), b"the end")
    [[_, _, _, size, text, _]] = all.take()
    assert (size, len(text)) == (OUTPUT_KEPT_BYTES + 7, OUTPUT_KEPT_BYTES)
    assert text.endswith(b"xthe end")
    all.text(job(), b"y" * 3 * OUTPUT_KEPT_BYTES)
    assert all.take()[0][3:5] == [4 * OUTPUT_KEPT_BYTES + 7, b"y" * OUTPUT_KEPT_BYTES]


def test_a_call_has_bounds_and_the_rest_goes_with_the_next() -> None:
    all = UnsentOutput()
    count = CALL_BYTES_MAX // OUTPUT_KEPT_BYTES
    for number in range(count + 1):
        all.text(job(number), b"x" * OUTPUT_KEPT_BYTES)
    assert (len(all.take()), len(all.take()), all.take()) == (count, 1, [])
    for number in range(ROWS_MAX + 1):
        all.progress(job(number), [number, None, ""])
    assert (len(all.take()), len(all.take())) == (ROWS_MAX, 1)


def test_what_was_sent_on_a_broken_line_is_sent_again() -> None:
    all = UnsentOutput()
    all.text(job(), b"one\n")
    all.progress(job(), [1, 2, ""])
    first = all.take()
    all.resend_all()
    assert all.take() == first


def test_an_acknowledged_end_takes_its_words_along() -> None:
    all = UnsentOutput()
    all.text(job(1), b"one\n")
    all.text(job(2), b"two\n")
    assert [row[4] for row in all.take([job(2).key, job(3).key])] == [b"two\n"]
    all.forget([job(2).key, job(3).key])
    assert len(all) == 1
    all.keep([])
    assert (len(all), all.has_unsent) == (0, False)


def test_all_together_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said, "KEPT_BYTES_MAX", 10)
    all = UnsentOutput()
    for number in range(5):
        all.text(job(number), b"four")
    assert [row[0] for row in all.take()] == [job(3).id, job(4).id]


def test_the_last_lines_are_whole_and_few() -> None:
    all = UnsentOutput()
    assert all.last_lines(job()) == ""
    all.text(job(), b"".join(b"line %d\n" % number for number in range(100)))
    assert all.last_lines(job()).splitlines() == [f"line {number}" for number in range(100 - LAST_LINES, 100)]
