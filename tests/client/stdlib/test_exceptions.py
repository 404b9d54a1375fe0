"""Exceptions of tasks, rebuilt for callers that expect their own types."""

from __future__ import annotations

import datetime
import enum
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tq.client.stdlib.exceptions import rebuilt
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument, TaskError
from tq.common.values.failure import MESSAGE_CHARS_MAX, Failure, to_error


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


class Colour(enum.Enum):
    RED = 1


class Refused(Exception):
    """Constructed as Exception itself is."""


class Text(str):
    """A subclass, which cannot be sent."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError({"field": "email", "codes": [1, 2]}),
        KeyError(datetime.date(2020, 1, 1)),
        KeyError(("a", ("b", 1))),
        KeyError(2**64),
        KeyError(Colour.RED),
        AssertionError(["a", "b"]),
        ValueError("x" * 9_000),
        ValueError((1, (2, 3))),
        ValueError(*range(9)),
        ValueError(b"x" * 10_000),
        RuntimeError({1, 2}, None, Decimal("1.5")),
        FileNotFoundError(2, "No such file", Path("/nowhere")),
        Refused({"code": 7}),
    ],
)
def test_arguments_of_any_type_that_can_be_sent_come_along(error: Exception) -> None:
    _, received = travelled(lambda: fail(error))
    assert type(received) is type(error)
    assert (received.args, str(received), repr(received)) == (error.args, str(error), repr(error))
    assert [*map(type, received.args)] == [*map(type, error.args)]


@pytest.mark.parametrize(
    "error",
    [
        ValueError(object()),
        ValueError("row", object()),
        KeyError(object()),
        KeyError(Text("key")),
        KeyError(frozenset({range(2)})),
        ValueError({"rows": list(range(100_000))}),
        ValueError({1: {2: object}}),
        IndexError(Text("a text of a class of its own")),
        Refused(object()),
    ],
)
def test_an_exception_whose_arguments_cannot_be_sent_keeps_its_type_and_message(error: Exception) -> None:
    _, received = travelled(lambda: fail(error))
    assert type(received) is type(error)
    assert len(received.args) == 1
    assert str(received) == str(error)[:MESSAGE_CHARS_MAX]
    assert type(error).__name__ in str(received.__cause__)


def test_text_of_a_whole_file_does_not_keep_an_error_of_unicode_from_its_caller() -> None:
    raised, received = travelled(lambda: (b"x" * 1_000_000 + b"\xff").decode())
    assert type(received) is UnicodeDecodeError
    assert isinstance(raised, UnicodeDecodeError)
    same = ("encoding", "start", "end", "reason")
    assert [getattr(received, name) for name in same] == [getattr(raised, name) for name in same]
    assert received.object == b""
    assert "in position 1000000" in str(received)


def test_arguments_that_cannot_be_read_here_leave_type_message_and_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        raise KeyError(Colour.RED)
    except KeyError as error:
        body = Failure.of(error).encode()
    monkeypatch.delattr(sys.modules[__name__], "Colour")  # the program that asks has not loaded the enum
    received = rebuilt(to_error(StateNumber.FAILED, Failure.decode(body)))
    assert type(received) is KeyError
    assert str(received) == "<Colour.RED: 1>"
    assert "raise KeyError(Colour.RED)" in str(received.__cause__)


@pytest.mark.parametrize(
    "error", [ExceptionGroup("several", [ValueError(1)]), SystemExit(3), KeyboardInterrupt()]
)
def test_what_cannot_be_rebuilt_is_a_task_error_with_its_type(error: BaseException) -> None:
    _, received = travelled(lambda: fail(error))
    assert isinstance(received, TaskError)
    assert received.type == type(error).__name__
    assert f"{type(error).__name__}" in str(received.__cause__)


def test_notes_of_our_own_errors_are_not_sent() -> None:
    raised, _ = travelled(lambda: fail(InvalidArgument("no")))
    assert "notes" not in Failure.of(raised).detail
