"""Exceptions of tasks, rebuilt for callers that expect their own types."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from tq.client.stdlib.exceptions import rebuilt
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument, TaskError
from tq.common.values.failure import Failure, to_error


def travelled(call: Callable[[], object]) -> tuple[BaseException, BaseException]:
    """The exception that a call raised, and the one that its remote caller gets."""
    try:
        call()
    except BaseException as raised:
        return raised, rebuilt(to_error(StateNumber.FAILED, Failure.decode(Failure.of(raised).encode())))
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (lambda: {}["key"], ()),
        (lambda: b"\xff".decode(), ("encoding", "object", "start", "end", "reason")),
        (lambda: "\xff".encode("ascii"), ("encoding", "object", "start", "end", "reason")),
        (lambda: compile("1 +", "file.py", "exec"), ("filename", "lineno", "offset", "text", "msg")),
        (lambda: open("/nowhere/file"), ("errno", "filename")),  # noqa: SIM115
        (lambda: os.rename("/nowhere/file", "/nowhere/other"), ("errno", "filename", "filename2")),
        (lambda: 1 / 0, ()),
    ],
)
def test_builtin_exceptions_come_as_they_were(call: Callable[[], object], fields: tuple[str, ...]) -> None:
    raised, received = travelled(call)
    assert type(received) is type(raised)
    assert (received.args, str(received)) == (raised.args, str(raised))
    assert [getattr(received, name) for name in fields] == [getattr(raised, name) for name in fields]


def fail(error: BaseException, *notes: Any) -> None:
    for note in notes:
        error.add_note(note)
    raise error


def test_notes_come_along() -> None:
    _, received = travelled(lambda: fail(ValueError("bad"), "row 7", "of a.csv \ud800"))
    assert received.__notes__ == ["row 7", "of a.csv \\ud800"]
    assert not hasattr(travelled(lambda: fail(ValueError("bad")))[1], "__notes__")


@pytest.mark.parametrize(
    "error",
    [
        ExceptionGroup("several", [ValueError(1)]),
        SystemExit(3),
        KeyboardInterrupt(),
        ValueError(object()),
        ValueError((1, (2, 3))),
        ValueError(*range(9)),
        ValueError(b"x" * 10_000),
    ],
)
def test_what_cannot_be_rebuilt_is_a_task_error_with_its_type(error: BaseException) -> None:
    _, received = travelled(lambda: fail(error))
    assert isinstance(received, TaskError)
    assert received.type == type(error).__name__
    assert f"{type(error).__name__}" in str(received.__cause__)


def test_notes_of_our_own_errors_are_not_sent() -> None:
    raised, _ = travelled(lambda: fail(InvalidArgument("no")))
    assert "notes" not in Failure.of(raised).detail
