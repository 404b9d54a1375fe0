from __future__ import annotations

import pytest
from tq.common.errors import TaskCancelled, TaskCrashed, TaskError, TaskExpired, TaskLost, TaskTimeout
from tq.common.failure import TRACEBACK_CHARS_MAX, Failure, to_error
from tq.common.model import State


class BrokenText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def test_a_failure_comes_back_from_its_bytes() -> None:
    failure = Failure.of(caught(ValueError("bad \ud800")))
    assert (failure.type, failure.message) == ("ValueError", "bad \\ud800")
    assert "in caught" in failure.traceback
    assert Failure.decode(failure.encode()) == failure


def test_frames_above_the_users_can_be_left_out() -> None:
    def users() -> None:
        raise ValueError("x")

    try:
        users()
    except ValueError as error:
        whole, short = Failure.of(error), Failure.of(error, skip_frames=1)
    assert "test_frames_above" in whole.traceback
    assert "test_frames_above" not in short.traceback
    assert "in users" in short.traceback


def test_an_exception_that_cannot_be_shown_is_told_all_the_same() -> None:
    assert "could not be made" in Failure.of(caught(BrokenText())).message


def test_a_very_long_traceback_keeps_its_ends() -> None:
    text = Failure.of(caught(ValueError("x" * 200_000))).traceback
    assert len(text) < TRACEBACK_CHARS_MAX + 100
    assert "characters left out" in text


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x01", b"\x94\x01\x02\x03\x04"])
def test_a_report_that_cannot_be_read_is_still_a_report(body: bytes) -> None:
    assert Failure.decode(body).type == "DecodeError"


@pytest.mark.parametrize(
    ("state", "detail", "kind"),
    [
        (State.FAILED, {}, TaskError),
        (State.FAILED, {"outcome": "timeout"}, TaskTimeout),
        (State.DEAD, {}, TaskCrashed),
        (State.CANCELLED, {}, TaskCancelled),
        (State.EXPIRED, {}, TaskExpired),
        (State.LOST, {}, TaskLost),
    ],
)
def test_each_end_has_an_error_of_its_own(
    state: State, detail: dict[str, str], kind: type[TaskError]
) -> None:
    error = to_error(state, Failure("T", "m", "trace", detail))
    assert type(error) is kind
    assert (error.type, error.message, error.traceback) == ("T", "m", "trace")


def test_a_signal_handler_of_ours_leaves_no_frame_under_the_users() -> None:
    def handler() -> None:
        raise TimeoutError("struck")

    try:
        handler()
    except TimeoutError as error:
        shown = Failure.of(error, below=__file__).traceback
    assert "handler" not in shown
    assert shown.rstrip().endswith("TimeoutError: struck")
