"""Schedules in code: ``@app.cron(…)`` and ``@app.every(…)`` above ``@app.task``. Workers that import the module declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..tasks.task import Task

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .schedules import Schedules

T = TypeVar("T", bound=Task[..., Any, Any])


class SchedulingApp:
    """What an App has for schedules."""

    session: ClientSession

    @property
    def schedules(self) -> Schedules:
        """The schedules of the cluster, to be made, changed and looked at while it runs."""
        from .schedules import Schedules

        return Schedules(self.session)

    def cron(
        self,
        rule: str,
        /,
        *,
        tz: str = "UTC",
        misfire: str = "latest",
        overlap: str = "allow",
        jitter: float | timedelta = 0.0,
        name: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Callable[[T], T]:
        """Have the master make a task at the times of a cron rule: ``@app.cron("0 3 * * *")``, above ``@app.task``.

        Workers that serve the task tell the master of its schedule. A changed rule takes effect when they are started with it. A
        schedule that is gone from the code of all workers goes on for an hour, and stops then. What an operator has changed
        with ``tq schedule edit`` or ``pause`` stays.

        On a day on which the zone's clock is set, a rule of fixed times is due once: a time that does not exist at the first
        one that does, and a time that comes twice the first time. A rule whose minute or hour begins with ``*`` follows the
        time that passes.

        Args:
            rule: Five fields: minute, hour, day of the month, month, day of the week. Numbers, names (``MON``, ``JAN``), lists,
                ranges, steps, ``L`` for the last day and ``5#1`` for the first Friday.
            tz: Time zone of the rule, as in ``"Europe/Prague"``.
            misfire: Of instants that were missed: ``"latest"`` makes up for the last one, ``"all"`` for at most 1,000, ``"skip"``
                for none.
            overlap: When an earlier task has not ended: ``"allow"`` starts another, ``"skip"`` leaves this instant out, ``"queue"``
                waits until it has ended, ``"cancel_running"`` cancels it.
            jitter: Up to so many seconds late a task starts, each by another time.
            name: Name of the schedule in the cluster; by default that of the task. The second schedule of a task needs one.
            args: Positional arguments of the task.
            kwargs: Keyword arguments of the task.

        Returns:
            The decorator, which returns the task itself.

        Raises:
            InvalidArgument: The rule, the zone or an option is wrong, or what is decorated is not a task.
            TypeError: The arguments do not fit the function.

        Example::

            @app.cron("0 3 * * *", tz="Europe/Prague", overlap="skip")
            @app.task(retries=3)
            def nightly_report() -> None: ...
        """
        words = {"tz": tz, "misfire": misfire, "overlap": overlap, "jitter": jitter}
        return _declaring("cron", {"cron": rule, **words}, name, args, kwargs)

    def every(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        misfire: str = "latest",
        overlap: str = "allow",
        jitter: float | timedelta = 0.0,
        name: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Callable[[T], T]:
        """Have the master make a task in an interval: ``@app.every(minutes=5)``, above ``@app.task``.

        The interval is the sum of its parts, from one second to ten years. It is counted from the beginning of 1970, UTC, so
        ``hours=1`` is due at each full hour. The rest is as with ``cron``.

        Args:
            days: Days of 24 hours.
            hours: Hours.
            minutes: Minutes.
            seconds: Seconds.
            misfire: Of instants that were missed: ``"latest"`` makes up for the last one, ``"all"`` for at most 1,000, ``"skip"``
                for none.
            overlap: When an earlier task has not ended: ``"allow"``, ``"skip"``, ``"queue"`` or ``"cancel_running"``.
            jitter: Up to so many seconds late a task starts, each by another time.
            name: Name of the schedule in the cluster; by default that of the task. The second schedule of a task needs one.
            args: Positional arguments of the task.
            kwargs: Keyword arguments of the task.

        Returns:
            The decorator, which returns the task itself.

        Raises:
            InvalidArgument: The interval or an option is wrong, or what is decorated is not a task.
            TypeError: The arguments do not fit the function.

        Example::

            @app.every(minutes=5, overlap="skip")
            @app.task
            def poll() -> None: ...
        """
        try:
            interval = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidArgument(f"@app.every: {error}; write numbers, as in minutes=5") from None
        words = {"misfire": misfire, "overlap": overlap, "jitter": jitter}
        return _declaring("every", {"every": interval, **words}, name, args, kwargs)


def _declaring(
    decorator: str,
    rule: dict[str, Any],
    name: str | None,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
) -> Callable[[T], T]:
    from ...common.domain.schedule import DeclaredSchedule, ScheduleDefinition
    from .schedules import plain, scheduled

    ScheduleDefinition(task="checked:here", **plain(rule))  # errors of the rule are of this line

    def declare(task: T) -> T:
        if not isinstance(task, Task):
            raise InvalidArgument(
                f"@app.{decorator} stands above @app.task, and {brief(task, 80)} is not a task yet: write the two lines in the other "
                "order, or add @app.task"
            )
        fields = scheduled(task, rule, args, kwargs)
        ScheduleDefinition(task="checked:here", **fields)
        # Both would have the name of the task.
        if name is None and any(given is None for given, _ in task.schedules):
            raise InvalidArgument(
                f"{task!r} has a schedule without a name already; give this one a name: @app.{decorator}(…, name='…')"
            )
        task.schedules.append(
            (
                name,
                lambda: DeclaredSchedule(name or task.name, ScheduleDefinition(task=task.name, **fields)),
            )
        )
        return task

    return declare
