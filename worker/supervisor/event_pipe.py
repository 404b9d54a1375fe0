"""Records of attempts that ended, for the program that started the worker, if it asks for them.

``tq dev`` asks with TQ_EVENT_PIPE, the number of a pipe that the worker inherits. The worker writes one JSON record a line::

    {"action": "worker.serves", "count": 1, "tasks": ["jobs:square"]}
    {"action": "task.ended", "call": "square(7)", "outcome": "success", "text": "49", "seconds": 0.0004, …}
    {"action": "task.more", "count": 1240, "failed": 3}      how many of the last second have no record of their own

This is not a log: it shows arguments and results, shortened, to the person at the terminal, and nothing keeps it. A reader
that does not read loses records; the worker never waits for it. Only a few attempts a second have a record, so that a worker
that runs thirty thousand tasks a second spends next to nothing on being watched.
"""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...common.domain.ids import show_id
from ...common.domain.model import TASK_ID_BYTES, OutcomeNumber
from ...common.errors import DecodeError
from ...common.runtime.logs import SECRETS
from ...common.values.codec import decode, decode_work
from ...common.values.failure import Failure
from ..agent.jobs import Job

VARIABLE: Final = "TQ_EVENT_PIPE"
CALM_RECORDS_MAX: Final = 20  # a second: what a person can follow
FAILED_RECORDS_MAX: Final = 5  # a second, besides: a traceback is what a developer looks for
WINDOW_SECONDS: Final = 1.0
RECORD_BYTES_MAX: Final = 4096  # what a pipe takes whole or not at all (PIPE_BUF)
DECODE_BYTES_MAX: Final = 16 * 1024  # of a larger value only the size is shown
CALL_CHARS_MAX: Final = 160
TEXT_CHARS_MAX: Final = 400
NAMES_MAX, NAME_CHARS_MAX = 20, 150  # of what is served: together no more than a record takes

_CALM: Final = frozenset(
    {
        OutcomeNumber.SUCCESS,
        OutcomeNumber.RETRY,
        OutcomeNumber.SNOOZE,
        OutcomeNumber.BECAME,
        OutcomeNumber.CANCELLED,
    }
)


class Timer(Protocol):
    def __call__(self, delay: float, callback: Callable[[], None], /) -> object: ...


class EventPipe:
    """Called with every attempt that ends."""

    def __init__(self, descriptor: int, clock: Callable[[], float], later: Timer) -> None:
        # A reader that stands still must not stop the worker.
        os.set_blocking(descriptor, False)
        # A child that holds it open would keep its reader from seeing the worker's end.
        os.set_inheritable(descriptor, False)
        self._descriptor, self._clock, self._later = descriptor, clock, later
        self._began = clock() - WINDOW_SECONDS
        self._written = {True: 0, False: 0}  # records in this window: of calm outcomes, of others
        self._more = self._more_failed = 0

    def __call__(self, job: Job, outcome: int, body: bytes | None, seconds: float) -> None:
        now = self._clock()
        if now - self._began >= WINDOW_SECONDS:
            self._written = {True: 0, False: 0}
            self._began = now
        calm = outcome in _CALM
        if self._written[calm] >= (CALM_RECORDS_MAX if calm else FAILED_RECORDS_MAX) or not self._write(
            _record(job, outcome, body, seconds)
        ):
            self._leave_out(calm)
        else:
            self._written[calm] += 1

    def serves(self, names: list[str]) -> None:
        """The user's code is loaded, and these are its tasks."""
        shown = [name[:NAME_CHARS_MAX] for name in names[:NAMES_MAX]]
        self._write({"action": "worker.serves", "count": len(names), "tasks": shown})

    def _leave_out(self, calm: bool) -> None:
        # One timer for all that is left out within a second.
        if not self._more:
            self._later(WINDOW_SECONDS, self._sum_up)
        self._more += 1
        self._more_failed += not calm

    def _sum_up(self) -> None:
        record = {"action": "task.more", "count": self._more, "failed": self._more_failed}
        if self._write(record):
            self._more = self._more_failed = 0
        else:
            self._later(WINDOW_SECONDS, self._sum_up)

    def _write(self, record: dict[str, Any]) -> bool:
        line = _line(record)
        try:
            return os.write(self._descriptor, line) == len(line)
        except BlockingIOError:
            return False  # the pipe is full: the reader is slow
        except OSError:
            return True  # the reader is gone: nothing to catch up on


def open_event_pipe(clock: Callable[[], float], later: Timer) -> EventPipe | None:
    """The pipe that the program which started this worker asks for. Child processes do not inherit the variable."""
    descriptor = os.environ.pop(VARIABLE, None)
    return EventPipe(int(descriptor), clock, later) if descriptor else None


def _record(job: Job, outcome: int, body: bytes | None, seconds: float) -> dict[str, Any]:
    record = {
        "action": "task.ended",
        "task": show_id(job.id),
        "attempt": job.number,
        "call": _call(job)[:CALL_CHARS_MAX],
        "outcome": str(OutcomeNumber(outcome)),
        "seconds": seconds,
    }
    if outcome == OutcomeNumber.SUCCESS:
        return {**record, "text": _value(body)[:TEXT_CHARS_MAX]}
    if outcome == OutcomeNumber.BECAME:
        return {**record, "text": f"became {show_id((body or b'')[:TASK_ID_BYTES])}"}
    failure = Failure.decode(body)
    # What the task asked for itself is shown in its own words.
    asked_for = outcome in (OutcomeNumber.RETRY, OutcomeNumber.SNOOZE, OutcomeNumber.DISCARD)
    text = failure.message if asked_for or not failure.type else f"{failure.type}: {failure.message}"
    return {**record, "text": text[:TEXT_CHARS_MAX], "traceback": failure.traceback}


def _call(job: Job) -> str:
    """The call as it would be written in Python."""
    function = job.name.rpartition(":")[2]
    if len(job.payload) > DECODE_BYTES_MAX:
        return f"{function}(… {len(job.payload) // 1024:,} KiB)"
    try:
        args, kwargs, style = decode_work(job.payload, as_is=True)
    except DecodeError:
        return f"{function}(…)"
    if style is not None:
        return f"{function}(… {len(args):,} calls)"
    words = [_shown(one) for one in args]
    for name, value in kwargs.items():
        hidden = any(secret in name.lower() for secret in SECRETS)
        words.append(f"{name}={'[hidden]' if hidden else _shown(value)}")
    return f"{function}({', '.join(words)})"


def _value(body: bytes | None) -> str:
    if body is None:
        return ""
    if len(body) > DECODE_BYTES_MAX:
        return f"{len(body) // 1024:,} KiB"
    try:
        return _shown(decode(body, as_is=True))
    except DecodeError:
        return "a value that cannot be shown"


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except Exception:  # a number of more digits than Python writes
        return f"a {type(value).__name__}"


def _line(record: dict[str, Any]) -> bytes:
    """One line that fits the pipe: of a long traceback, its end, where the error is."""
    while len(line := json.dumps(record).encode() + b"\n") > RECORD_BYTES_MAX:
        traceback = record.get("traceback", "")
        if len(traceback) < 2:
            record["text"] = record["text"][: len(record["text"]) // 2]
        else:
            record["traceback"] = "…" + traceback[len(traceback) // 4 + 1 :]
    return line
