"""The words of tq as records: states, options, outcomes. Pure data, no behaviour beyond validation.

Owns the numbers that stand in the store and on the wire for a state or an outcome; they never change
meaning. Knows nothing of sockets, files or clocks.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief
from .durations import DELAY_SECONDS_MAX, check_number
from .on_error import FAIL, check_on_error
from .tags import Tags, tags_of

PRIORITY_MIN, PRIORITY_MAX = -100, 100  # higher runs first; the range keeps it one byte on the wire
UNIX_SECONDS_MIN, UNIX_SECONDS_MAX = (
    1e9,
    1e11,
)  # of a deadline that is a Unix time; below it is a time after the submit
RETRIES_MAX = 10_000
RESULT_TTL_SECONDS_MAX = 366 * 24 * 3600.0  # what is to be kept for longer belongs elsewhere
NAME_CHARS_MAX = 255  # queue and task names: fits one msgpack str8 header, readable in a table
OWN = "own."  # names of what goes with the program that made it begin so
TASK_ID_BYTES = 16
NODE_ID_BYTES = 16
OUTPUT_KEPT_BYTES = 64 * 1024  # of what one attempt prints: its end is what explains an end
NOTE_CHARS_MAX = 200  # of a progress note: one line of a screen, and some


class StateNumber(enum.IntEnum):
    """A state as it stands in the store and on the wire, and so within tq. ``str()`` gives its name."""

    READY = 0  # may be leased now
    SCHEDULED = 1  # becomes ready at its due time: a delay, or the wait before a retry
    BLOCKED = 2  # waits for other tasks, whose results are its arguments
    RUNNING = 3  # leased to a worker
    SUCCEEDED = 10
    FAILED = 11  # its own doing: an exception, a time limit, a discard, retries exhausted
    DEAD = 12  # quarantined: its process or worker died too often while it ran
    CANCELLED = 13
    EXPIRED = 14  # not started before its ``expires``
    LOST = 15  # at_most_once, and whether it ran is unknown

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def is_terminal(self) -> bool:
        return self >= StateNumber.SUCCEEDED


TERMINAL_STATES = frozenset(state for state in StateNumber if state.is_terminal)


class State(enum.StrEnum):
    """Where a task is in its life. It is text, its name: ``handle.state == "succeeded"`` holds.

    Attributes:
        READY: It may start now.
        SCHEDULED: It waits for its time: a delay, or the wait before a retry.
        BLOCKED: It waits for other tasks, whose results are its arguments.
        RUNNING: A worker has it.
        SUCCEEDED: It has a result.
        FAILED: An exception, a time limit or a discard, and no retries are left.
        DEAD: Its process or worker died too often while it ran.
        CANCELLED: It was cancelled before it had a result.
        EXPIRED: It was not started before its ``expires``.
        LOST: It is ``at_most_once`` and its worker vanished: whether it ran is unknown.
    """

    READY = "ready"
    SCHEDULED = "scheduled"
    BLOCKED = "blocked"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"

    @classmethod
    def from_number(cls, number: int) -> State:
        """The state that has this number in the store and in messages.

        Args:
            number: From 1 on, as ``number`` gives it.
        """
        return cls[StateNumber(number).name]

    @property
    def number(self) -> StateNumber:
        """Its number in the store and in messages."""
        return StateNumber[self.name]

    @property
    def is_terminal(self) -> bool:
        """Whether a task in this state has ended."""
        return self.number.is_terminal

    @classmethod
    def parse(cls, word: str) -> State:
        """Read a state from a word such as ``failed``.

        Args:
            word: The name of a state, in any case.

        Returns:
            The state.

        Raises:
            InvalidArgument: There is no such state; the message lists them.
        """
        try:
            return cls(word.lower())
        except ValueError:
            raise InvalidArgument(f"unknown state {brief(word)}; one of: {', '.join(cls)}") from None


class OutcomeNumber(enum.IntEnum):
    """How an attempt ended, as the worker (or, for LOST, the master) reports it. ``str()`` gives its name."""

    SUCCESS = 0  # body: the encoded result
    ERROR = 1  # the callable raised; body: an encoded Failure
    RETRY = 2  # the callable asked for another try (tq.Retry); counts against retries
    DISCARD = 3  # the callable gave up for good (tq.Discard)
    SNOOZE = 4  # the callable asked to be run later (tq.Snooze); counts against nothing
    TIMEOUT = 5  # the time limit struck; counts against retries like an error
    CRASH = 6  # the child process died; counts against max_crashes
    CANCELLED = 7  # ended because a cancel was asked for
    RELEASED = 8  # handed back while it ran; counts against nothing
    LOST = 9  # the worker vanished while it held the lease; counts against max_crashes
    BECAME = 10  # the callable returned the handle of another task, whose result is its own; body: the id, then its cluster's

    def __str__(self) -> str:
        return self.name.lower()


class Outcome(enum.StrEnum):
    """How an attempt ended. It is text, its name: ``attempt.outcome == "crash"`` holds, and JSON has the name."""

    SUCCESS = "success"
    ERROR = "error"
    RETRY = "retry"
    DISCARD = "discard"
    SNOOZE = "snooze"
    TIMEOUT = "timeout"
    CRASH = "crash"
    CANCELLED = "cancelled"
    RELEASED = "released"
    LOST = "lost"
    BECAME = "became"

    @classmethod
    def from_number(cls, number: int) -> Outcome:
        return cls[OutcomeNumber(number).name]


class Role(enum.StrEnum):
    """What a key may do: read; submit and cancel; lease and finish; everything."""

    VIEWER = "viewer"
    CLIENT = "client"
    WORKER = "worker"
    ADMIN = "admin"


class Delivery(enum.StrEnum):
    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class ResultPolicy(enum.StrEnum):
    """What the master keeps of how a task ends, besides its state: its result or its failure; only a failure; neither."""

    ALL = "all"
    ERRORS = "errors"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions:
    """How a task is to be run. Travels as a map of the fields that differ from their defaults."""

    priority: int = 0  # higher first, PRIORITY_MIN..PRIORITY_MAX
    delay: float = 0.0  # seconds from the moment the master accepts it
    at: float | None = None  # Unix time in seconds; excludes delay
    retries: int = 0  # further tries after an error, a Retry or a time limit
    backoff: float = 1.0  # seconds before the first retry; doubles each time, with jitter
    backoff_max: float = 600.0  # seconds; no wait before a retry is longer
    timeout: float | None = None  # seconds one attempt may take
    expires: float | None = None  # seconds after acceptance; not started by then: expired
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    max_crashes: int = 3  # deaths of its process before the task is quarantined as dead
    result: ResultPolicy = ResultPolicy.ALL  # what is kept of how it ends
    # Seconds that this is kept after its end; None: as the master keeps others
    result_ttl: float | None = None
    on_error: str | int = FAIL  # what becomes of it when a task that it needs does not succeed
    tags: Tags = ()  # by which people find it; given as a map
    # What its worker must have: pairs of a resource and thousandths of it, sorted, and a condition on labels, see placing.py.
    needs: tuple[tuple[str, int], ...] = ()
    where: str = ""
    # When it should have ended: of the same priority the earliest goes first. Seconds after its submit, or, from UNIX_SECONDS_MIN on, a
    # Unix time.
    deadline: float | None = None

    def __post_init__(self) -> None:
        check_number("priority", self.priority, PRIORITY_MIN, PRIORITY_MAX, whole=True)
        check_number("delay", self.delay, 0, DELAY_SECONDS_MAX)
        check_number("at", self.at, 0, 1e11, none=True)
        check_number("retries", self.retries, 0, RETRIES_MAX, whole=True)
        check_number("backoff", self.backoff, 0, DELAY_SECONDS_MAX)
        check_number("backoff_max", self.backoff_max, 0, DELAY_SECONDS_MAX)
        check_number("timeout", self.timeout, 0.001, DELAY_SECONDS_MAX, none=True)
        check_number("expires", self.expires, 0.001, DELAY_SECONDS_MAX, none=True)
        if self.deadline is not None:
            check_deadline(self.deadline)
        check_number("max_crashes", self.max_crashes, 1, RETRIES_MAX, whole=True)
        check_on_error(self.on_error)
        if self.tags != ():
            object.__setattr__(self, "tags", tags_of(self.tags))
        if self.needs != () or self.where != "":
            self._check_placing()
        if self.delivery not in tuple(Delivery):
            raise InvalidArgument(
                f"delivery={brief(self.delivery)} is unknown; use 'at_least_once' or 'at_most_once'"
            )
        if self.result not in tuple(ResultPolicy):
            raise InvalidArgument(f"result={brief(self.result)} is unknown; use 'all', 'errors' or 'none'")
        check_number("result_ttl", self.result_ttl, 0, RESULT_TTL_SECONDS_MAX, none=True)
        if self.at is not None and self.delay:
            raise InvalidArgument("delay and at exclude each other; give one of them")
        if self.delivery == Delivery.AT_MOST_ONCE and self.retries:
            raise InvalidArgument(
                "retries need delivery='at_least_once': an at_most_once task is never started twice"
            )

    def _check_placing(self) -> None:
        from .placing import (
            check_needs,
            check_where,
        )  # few programs use it, and the others load nothing of it

        needs = dict(self.needs) if isinstance(self.needs, tuple) else self.needs
        object.__setattr__(self, "needs", check_needs(needs))
        object.__setattr__(self, "where", check_where(self.where))

    def to_wire(self) -> dict[str, Any]:
        if self is DEFAULT_OPTIONS:
            return {}
        return {
            field.name: _plain(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_wire(cls, options: Mapping[str, Any]) -> TaskOptions:
        """Validated options; raises InvalidArgument naming the bad one."""
        if not options:
            return DEFAULT_OPTIONS
        known = {field.name for field in fields(cls)}
        for name in options:
            if name not in known:
                raise InvalidArgument(f"unknown option {brief(name)}; one of: {', '.join(sorted(known))}")
        return cls(**options)


def _plain(value: Any) -> Any:
    """A field of options as it travels."""
    if isinstance(value, enum.StrEnum):
        return str(value)
    return dict(value) if isinstance(value, tuple) else value


def check_deadline(value: object) -> None:
    """Seconds after a submit, or a Unix time: no delay is as long as the time since 1970. Raises InvalidArgument."""
    try:
        check_number("deadline", value, 0, UNIX_SECONDS_MAX)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"{error}; write deadline=30, seconds after the submit, or deadline=moment, a datetime with its time zone"
        ) from None
    if DELAY_SECONDS_MAX < value < UNIX_SECONDS_MIN:  # type: ignore[operator]  # it is a number
        raise InvalidArgument(
            f"deadline={brief(value)} is neither seconds after the submit (up to {DELAY_SECONDS_MAX:,.0f}) nor a Unix time "
            f"(from {UNIX_SECONDS_MIN:,.0f} on); write deadline=30, or deadline=moment, a datetime with its time zone"
        )


DEFAULT_OPTIONS: Final = TaskOptions()  # most tasks have these: they are validated once


def check_name(kind: str, name: object) -> str:
    """A queue or task name: 1..255 printable characters without white space; raises InvalidArgument."""
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS_MAX:
        raise InvalidArgument(f"{kind} name must be 1 to {NAME_CHARS_MAX} characters, not {brief(name, 80)}")
    if not name.isprintable() or " " in name:  # no other white space is printable
        raise InvalidArgument(f"{kind} name {name!r} has white space or unprintable characters")
    return name


def check_new(kind: str, name: object, mine: bool) -> str:
    """The name of what is to be made. Raises InvalidArgument also for one that went with the program that made it."""
    name = check_name(kind, name)
    if name.startswith(OWN) and not mine:
        raise InvalidArgument(f"{kind} {name!r} is gone with the program that made it")
    return name
