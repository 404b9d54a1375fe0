"""The schedules of a cluster, for programs: ``app.schedules``. Each method is a call that the master answers at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.columns import NO_COLUMNS
from ...common.domain.schedule import ScheduleDefinition
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..core.blocking import warn_on_loop
from ..tasks import made_by_master
from ..tasks.definition import Definition
from ..tasks.handle import Handle
from ..tasks.options import choose
from ..tasks.submission import lane_columns
from ..tasks.submitter import Submitter
from .async_schedules import LISTED_AT_ONCE, SCHEDULES, TOKEN_BYTES, AsyncSchedules
from .schedule import Schedule, moment_of, schedule_of

if TYPE_CHECKING:
    from ..core.session import ClientSession

CHANGED: Final = ("cron", "every", "tz", "misfire", "overlap", "jitter", "queue", "args", "kwargs")

Handles = list[Handle[Any]]  # aliases, because the class has a method called list
Moments = list[datetime]
Seconds = list[float]


class Schedules(AsyncSchedules):
    """The schedules of a cluster, ``app.schedules``: made, changed and looked at while it runs.

    A schedule that is declared in code, with ``@app.cron`` or ``@app.every``, is here as well. What is changed of it here stays
    changed when workers declare it again. Each method has a twin for event loops: ``await app.schedules.aadd(…)``.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def add(
        self,
        name: str,
        task: Submitter[..., Any] | str,
        *,
        cron: str | None = None,
        every: float | timedelta | None = None,
        tz: str = "UTC",
        misfire: str = "latest",
        overlap: str = "allow",
        jitter: float | timedelta = 0.0,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Schedule:
        """Make a schedule. Making it again with the same words changes nothing.

        Neither a worker nor this program needs to run when it is due: the master makes the tasks.

        Args:
            name: Its name in the cluster, 1 to 255 printable characters without white space.
            task: A task, a variant of one from ``using``, or the name of one, ``"module:function"``.
            cron: Five fields: minute, hour, day of the month, month, day of the week.
            every: Instead, an interval: seconds or a timedelta, from one second. It is counted from the beginning of 1970, UTC.
            tz: Time zone of the rule, as in ``"Europe/Prague"``.
            misfire: Of instants that were missed: ``"latest"`` makes up for the last one, ``"all"`` for at most 1,000,
                ``"skip"`` for none.
            overlap: When an earlier task has not ended: ``"allow"``, ``"skip"``, ``"queue"`` or ``"cancel_running"``.
            jitter: Up to so many seconds late a task starts, each by another time.
            args: Positional arguments of the task.
            kwargs: Keyword arguments of the task.

        Returns:
            The schedule.

        Raises:
            InvalidArgument: The rule, the zone or an option is wrong, or there is another schedule of this name.
            TypeError: The arguments do not fit the function.
            Forbidden: The key does not cover the queue.
        """
        rule = {"cron": cron, "every": every, "tz": tz, "misfire": misfire, "overlap": overlap}
        definition = self._defined(task, args, kwargs, **rule, jitter=jitter)
        return schedule_of(self._do("add", name, definition.to_wire()))

    def list(self, history: int = 0) -> list[Schedule]:
        """List all schedules in the queues of this key, by name.

        Args:
            history: How many of the newest rows of the history of each, at most 20. By default none are asked for.

        Returns:
            The schedules.
        """
        found: list[Schedule] = []
        after: int | None = 0
        while after is not None:
            answer = self._do("list", after, LISTED_AT_ONCE, *((history,) if history else ()))
            found += map(schedule_of, answer["rows"])
            after = answer["after"]
        # Pages come in the order of making.
        return sorted(found, key=lambda one: one.name)

    def show(self, name: str, history: int = 20) -> Schedule:
        """Look at one schedule and what became of its instants.

        Args:
            name: Its name.
            history: How many of the newest rows of its history; about a hundred are kept.

        Returns:
            The schedule.

        Raises:
            InvalidArgument: There is no such schedule in the queues of this key.
        """
        return schedule_of(self._do("show", name, history))

    def edit(self, name: str, *, reset: bool = False, **changes: Any) -> Schedule:
        """Change a schedule. It holds from its next instant on.

        Args:
            name: Its name.
            reset: Drop earlier changes first, so that what is declared in code holds again.
            changes: ``cron``, ``every``, ``tz``, ``misfire``, ``overlap``, ``jitter``, ``queue``, ``args`` and ``kwargs``, as in ``add``.

        Returns:
            The schedule as it is now.

        Raises:
            InvalidArgument: There is no such schedule, or a change is wrong.
        """
        return schedule_of(self._do("edit", name, self._changes(changes), reset))

    def pause(self, name: str, reason: str = "") -> None:
        """Pause a schedule: it makes no tasks until it is resumed, whatever workers declare.

        Args:
            name: Its name.
            reason: Shown to people.
        """
        self._do("pause", name, reason)

    def resume(self, name: str) -> None:
        """Resume a paused schedule with its next instant. Those of the pause are skipped.

        Args:
            name: Its name.
        """
        self._do("resume", name)

    def remove(self, name: str) -> None:
        """Delete a schedule with its history. Its tasks stay.

        Args:
            name: Its name.

        Raises:
            InvalidArgument: There is no such schedule, or connected workers have it in their code.
        """
        self._do("remove", name)

    def run_now(self, name: str) -> Handle[Any]:
        """Make a task of a schedule at once, whatever its time and its pause say.

        Args:
            name: Its name.

        Returns:
            The handle of the task.
        """
        # A token: a call that is repeated after a lost connection makes one task.
        return Handle(self._session, self._do("run_now", name, os.urandom(TOKEN_BYTES)))

    def preview(self, name: str, count: int = 20) -> Moments:
        """Compute the next instants of a schedule.

        Args:
            name: Its name.
            count: How many, up to 1,000.

        Returns:
            The instants, in UTC.
        """
        moments = map(moment_of, self._do("preview", name, count))
        return [moment for moment in moments if moment is not None]

    def backfill(self, name: str, since: datetime, until: datetime) -> Handles:
        """Make the tasks of past instants that have none.

        Args:
            name: Its name.
            since: The first moment, with a time zone.
            until: The last moment, with a time zone.

        Returns:
            The handles of the tasks of all instants in this time, also of those that were there.

        Raises:
            InvalidArgument: The time has more than 1,000 instants, or is not over.
        """
        return [
            Handle(self._session, id) for id in self._do("backfill", name, *self._backfilled(since, until))
        ]

    def _do(self, method: str, *args: Any) -> Any:
        warn_on_loop(f"await app.schedules.a{method}(…)")
        return self._session.ask(SCHEDULES, method, *args)

    def _defined(self, task: Any, args: Any, kwargs: Any, **rule: Any) -> ScheduleDefinition:
        """What a schedule of a task says. Raises NotNamed for a task that no worker could find."""
        found = self._submitter(task)
        return ScheduleDefinition(task=found.name, **scheduled(found, rule, args, kwargs))

    def _backfilled(self, since: datetime, until: datetime) -> Seconds:
        return [_seconds(what, moment) for what, moment in (("since", since), ("until", until))]

    def _changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return _changes(changes)

    def _submitter(self, task: Submitter[..., Any] | str) -> Submitter[..., Any]:
        if isinstance(task, Submitter):
            return task
        if not isinstance(task, str):
            raise InvalidArgument(
                f"{brief(task, 80)} is not a task: give one that @app.task has made, or its name"
            )
        # A mere word would be found by no worker, and the schedule would make tasks that wait without end.
        if ":" not in task:
            raise InvalidArgument(f"{task!r:.80} is not a task's name; write 'module:function'")
        return Submitter(self._session, Definition(None, task), choose({}))


def scheduled(
    task: Submitter[..., Any], rule: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The fields of such a definition, but for the name of the task: that may not be known yet."""
    made = task.made_by(made_by_master.A_SCHEDULE)
    choice, payload = made_by_master.scheduled(made, tuple(args), dict(kwargs or {}))
    said = {"queue": choice.queue, "options": choice.wire, "payload": payload, **plain(rule)}
    columns = lane_columns(choice)
    return {**said, "columns": columns.to_wire()} if columns != NO_COLUMNS else said


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(given.keys() - set(CHANGED))
    if unknown:
        raise InvalidArgument(
            f"a schedule has no {brief(unknown[0], 80)} to change; it has {', '.join(CHANGED)}"
        )
    changes = plain({name: value for name, value in given.items() if name not in ("args", "kwargs")})
    if "args" in given or "kwargs" in given:
        from ...common.values.codec import encode_call

        changes["payload"] = encode_call(tuple(given.get("args", ())), dict(given.get("kwargs", {})), ())
    return changes


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with durations as seconds."""
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in given.items()
        if value is not None
    }


def _seconds(what: str, moment: datetime) -> float:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidArgument(
            f"{what}={moment!r:.80}: give a datetime with a time zone; write moment.astimezone() for local time"
        )
    return moment.timestamp()
