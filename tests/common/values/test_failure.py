from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgpack
import pytest
import tq
from tq.common.domain.model import StateNumber
from tq.common.errors import (
    InvalidArgument,
    TaskCancelled,
    TaskCrashed,
    TaskError,
    TaskExpired,
    TaskLost,
    TaskTimeout,
)
from tq.common.values.failure import TRACEBACK_CHARS_MAX, Failure, to_error


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


def written(file: str, source: str, names: dict[str, object]) -> dict[str, object]:
    """A namespace with code that says it stands in this file."""
    exec(compile(source, file, "exec"), names)  # noqa: S102 - ours, from below
    return names


def failed(*files: str, error: str = "ValueError('x')") -> list[str]:
    """The files in the traceback of functions that call one another, the last of which raises."""
    names: dict[str, object] = {"InvalidArgument": InvalidArgument}
    for place, file in enumerate(files):
        body = f"call{place + 1}()" if place + 1 < len(files) else f"raise {error}"
        written(file, f"def call{place}():\n    {body}\n", names)
    try:
        names["call0"]()  # type: ignore[operator]
    except Exception as raised:
        raised.__traceback__ = raised.__traceback__.tb_next if raised.__traceback__ else None
        text = Failure.of(raised).traceback
    assert text.startswith("Traceback") is ("File " in text)
    return re.findall(r'File "(.*?)"', text)


ROOM = Path(tq.__file__ or "").parent
WORKER, CLIENT = str(ROOM / "worker" / "child" / "loop.py"), str(ROOM / "client" / "tasks" / "task.py")
ASYNCIO, IMPORTING = asyncio.base_events.__file__, "<frozen importlib._bootstrap>"


def test_frames_of_ours_above_and_between_the_users_are_left_out() -> None:
    assert failed(WORKER, "jobs.py") == ["jobs.py"]
    assert failed(WORKER, WORKER, ASYNCIO, "jobs.py", "more.py") == ["jobs.py", "more.py"]
    assert failed(WORKER, "jobs.py", CLIENT, "more.py") == ["jobs.py", "more.py"]
    assert failed(WORKER, IMPORTING, "jobs.py", IMPORTING, "more.py", IMPORTING) == ["jobs.py", "more.py"]
    assert failed(WORKER, "jobs.py", ASYNCIO) == ["jobs.py", ASYNCIO]


def test_frames_of_ours_below_the_users_stay_unless_we_raised_on_purpose() -> None:
    assert failed(WORKER, "jobs.py", CLIENT) == ["jobs.py", CLIENT]
    assert failed(WORKER, "jobs.py", CLIENT, error="InvalidArgument('no')") == ["jobs.py"]


def test_a_call_that_never_reached_the_users_code_has_no_frames_and_no_heading() -> None:
    assert failed(WORKER, error="TypeError('one argument is missing')") == []


def test_what_led_to_an_error_is_treated_alike() -> None:
    names: dict[str, object] = {}
    written(WORKER, "def ours(call):\n    call()\n", names)
    written("jobs.py", "def inner():\n    raise KeyError(1)\n", names)
    source = (
        "def outer():\n    try:\n        ours(inner)\n    except KeyError:\n        raise ValueError(2)\n"
    )
    written("jobs.py", source, names)
    with pytest.raises(ValueError, match="2") as caught_error:
        names["outer"]()  # type: ignore[operator]
    text = Failure.of(caught_error.value).traceback
    assert text.count("in inner") == text.count("During handling") == 1
    assert WORKER not in text


def test_an_exception_that_cannot_be_shown_is_described_all_the_same() -> None:
    assert "could not be made" in Failure.of(caught(BrokenText())).message


def test_a_very_long_traceback_keeps_its_ends() -> None:
    text = Failure.of(caught(ValueError("x" * 200_000))).traceback
    assert len(text) < TRACEBACK_CHARS_MAX + 100
    assert "characters left out" in text


HOSTILE_ZONE = msgpack.packb(msgpack.ExtType(7, msgpack.packb([1, 2, 3, 4, 0, "Europe"])))
HOSTILE_DTYPE = msgpack.packb(msgpack.ExtType(14, msgpack.packb(["(((", b"12345678"])))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x01",
        b"\x94\x01\x02\x03\x04",
        *(b"\x94\xa1x\xa1x\xa1x\x81\xa1x" + value for value in (HOSTILE_ZONE, HOSTILE_DTYPE)),
    ],
)
def test_a_report_that_cannot_be_read_is_still_a_report(body: bytes) -> None:
    assert Failure.decode(body).type == "DecodeError"


@pytest.mark.parametrize(
    ("state", "detail", "kind"),
    [
        (StateNumber.FAILED, {}, TaskError),
        (StateNumber.FAILED, {"outcome": "timeout"}, TaskTimeout),
        (StateNumber.DEAD, {}, TaskCrashed),
        (StateNumber.CANCELLED, {}, TaskCancelled),
        (StateNumber.EXPIRED, {}, TaskExpired),
        (StateNumber.LOST, {}, TaskLost),
    ],
)
def test_each_end_has_an_error_of_its_own(
    state: StateNumber, detail: dict[str, str], kind: type[TaskError]
) -> None:
    error = to_error(state, Failure("T", "m", "trace", detail))
    assert type(error) is kind
    assert (error.type, error.message, error.traceback) == ("T", "m", "trace")


def test_an_error_of_ours_does_not_say_its_type_twice() -> None:
    assert str(to_error(StateNumber.DEAD, Failure("TaskCrashed", "it died"))) == "it died"
    assert str(to_error(StateNumber.FAILED, Failure("ValueError", "bad"))) == "ValueError: bad"


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({"exit_code": 3, "out": b"x"}, {"exit_code": 3, "out": b"x"}),
        ({"exit_code": object()}, {}),
        ({1: 2}, {}),
        ("text", {}),
    ],
)
def test_an_exception_may_bring_plain_details(given: object, detail: dict[str, Any]) -> None:
    error = LookupError("m")
    error.tq_detail = given  # type: ignore[attr-defined]
    failure = Failure.decode(Failure.of(error).encode())
    assert failure.detail == {**detail, "args": ["m"]}


def test_details_that_cannot_be_read_do_not_hide_the_failure() -> None:
    class Odd(Exception):
        @property
        def tq_detail(self) -> dict[str, Any]:
            raise ValueError("no")

    assert Failure.of(Odd("m")).message == "m"


def test_a_heading_reads_nothing_but_type_and_message() -> None:
    detail = b"\x81\xa1x\xc7\x00\x63"  # {"x": an extension that no version knows}
    body = b"\x94\xa1E\xa1m\xa1t" + detail
    assert Failure.heading(body) == Failure("E", "m")
    assert Failure.decode(body).type == "DecodeError"
    assert Failure.heading(None) == Failure("", "")


@pytest.mark.parametrize(
    "body", [b"", b"\x93\xa1E\xa1m\xa1t", b"\x94\xa1E\xa1m\xa1t", b"\x94\x01\xa1m\xa1t\x80", b"\xc1"]
)
def test_a_heading_of_something_else_says_so(body: bytes) -> None:
    assert Failure.heading(body).type == "DecodeError"
    assert "cannot be read" in Failure.decode(Failure.reworded(body, "T", "w: {}".format)).message


def test_a_failure_is_reworded_without_its_detail_being_read() -> None:
    body = Failure("E", "m", "t", {"args": [1, (2,)]}).encode()
    assert Failure.decode(Failure.reworded(body, "T", "w: {}".format)) == Failure(
        "T", "w: m", "t", {"args": [1, (2,)]}
    )
