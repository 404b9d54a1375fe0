"""What ``app.schedules`` has for event loops."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ..tasks.handle import Handle
from .schedule import Schedule, moment_of, schedule_of

if TYPE_CHECKING:
    from ...common.domain.schedule import ScheduleDefinition
    from ..core.session import ClientSession
    from ..tasks.submitter import Submitter

SCHEDULES: Final = ("get_schedules",)
TOKEN_BYTES: Final = 16
LISTED_AT_ONCE: Final = 500


class AsyncSchedules:
    """The twins of what blocks."""

    _session: ClientSession

    if TYPE_CHECKING:

        def _defined(self, task: Any, args: Any, kwargs: Any, **rule: Any) -> ScheduleDefinition: ...
        def _backfilled(self, since: datetime, until: datetime) -> list[float]: ...
        def _changes(self, changes: Mapping[str, Any]) -> dict[str, Any]: ...

    async def aadd(
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
        """Do as ``add``, for an event loop.

        Args:
            name: Its name.
            task: A task, a variant of one from ``using``, or the name of one.
            cron: Its rule.
            every: Instead, an interval.
            tz: Time zone of the rule.
            misfire: What happens to instants that were missed.
            overlap: What happens when an earlier task has not ended.
            jitter: Up to so many seconds late a task starts.
            args: Positional arguments of the task.
            kwargs: Keyword arguments of the task.

        Returns:
            The schedule.
        """
        rule = {"cron": cron, "every": every, "tz": tz, "misfire": misfire, "overlap": overlap}
        definition = self._defined(task, args, kwargs, **rule, jitter=jitter)
        return schedule_of(await self._ado("add", name, definition.to_wire()))

    async def alist(self, history: int = 0) -> list[Schedule]:
        """Do as ``list``, for an event loop.

        Args:
            history: How many of the newest rows of the history of each, at most 20. By default none are asked for.

        Returns:
            The schedules.
        """
        found: list[Schedule] = []
        after: int | None = 0
        while after is not None:
            answer = await self._ado("list", after, LISTED_AT_ONCE, *((history,) if history else ()))
            found += map(schedule_of, answer["rows"])
            after = answer["after"]
        return sorted(found, key=lambda one: one.name)

    async def ashow(self, name: str, history: int = 20) -> Schedule:
        """Do as ``show``, for an event loop.

        Args:
            name: Its name.
            history: How many of the newest rows of its history.

        Returns:
            The schedule.
        """
        return schedule_of(await self._ado("show", name, history))

    async def aedit(self, name: str, *, reset: bool = False, **changes: Any) -> Schedule:
        """Do as ``edit``, for an event loop.

        Args:
            name: Its name.
            reset: Drop earlier changes first.
            changes: As in ``edit``.

        Returns:
            The schedule as it is now.
        """
        return schedule_of(await self._ado("edit", name, self._changes(changes), reset))

    async def apause(self, name: str, reason: str = "") -> None:
        """Do as ``pause``, for an event loop.

        Args:
            name: Its name.
            reason: Shown to people.
        """
        await self._ado("pause", name, reason)

    async def aresume(self, name: str) -> None:
        """Do as ``resume``, for an event loop.

        Args:
            name: Its name.
        """
        await self._ado("resume", name)

    async def aremove(self, name: str) -> None:
        """Do as ``remove``, for an event loop.

        Args:
            name: Its name.
        """
        await self._ado("remove", name)

    async def arun_now(self, name: str) -> Handle[Any]:
        """Do as ``run_now``, for an event loop.

        Args:
            name: Its name.

        Returns:
            The handle of the task.
        """
        return Handle(self._session, await self._ado("run_now", name, os.urandom(TOKEN_BYTES)))

    async def apreview(self, name: str, count: int = 20) -> list[datetime]:
        """Do as ``preview``, for an event loop.

        Args:
            name: Its name.
            count: How many, up to 1,000.

        Returns:
            The instants, in UTC.
        """
        moments = map(moment_of, await self._ado("preview", name, count))
        return [moment for moment in moments if moment is not None]

    async def abackfill(self, name: str, since: datetime, until: datetime) -> list[Handle[Any]]:
        """Do as ``backfill``, for an event loop.

        Args:
            name: Its name.
            since: The first moment, with a time zone.
            until: The last moment, with a time zone.

        Returns:
            The handles of the tasks of all instants in this time.
        """
        ids = await self._ado("backfill", name, *self._backfilled(since, until))
        return [Handle(self._session, id) for id in ids]

    async def _ado(self, method: str, *args: Any) -> Any:
        import asyncio

        return await asyncio.wrap_future(self._session.start_call(SCHEDULES, method, *args))
