"""What a handle asks the master about its task, one call each: how far it is, how its attempts went, what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.blocking import warn_on_loop
from .answers import NO_TEXT, TASKS, Attempt, Progress, arguments_of, attempts_of, progress_of

if TYPE_CHECKING:
    from ..core.session import ClientSession


class TaskLooks:
    """The part of a handle that looks. Each has a twin in ``AsyncCalls``."""

    __slots__ = ()
    _session: ClientSession
    _id: bytes

    @property
    def cached(self) -> bool:
        """Whether the submit made no task, and this is the one that was there already, by ``cache`` or ``unique``."""
        return False

    @property
    def progress(self) -> Progress | None:
        """What the latest attempt reported by ``ctx.progress``, at most a second old.

        None when it reported nothing. One call to the master.
        """
        warn_on_loop("await handle.aprogress()")
        return progress_of(self._session.call(TASKS, "log", self._id, None, NO_TEXT))

    @property
    def attempts(self) -> list[Attempt]:
        """All attempts so far, with worker, times, error and output.

        A task that a worker returned before it began adds no attempt. One call to the master.
        """
        warn_on_loop("await handle.aattempts()")
        return attempts_of(self._session.call(TASKS, "show", self._id))

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the keyword arguments that the task was submitted with. One call to the master."""
        warn_on_loop("await handle.aarguments()")
        return arguments_of(self._session.call(TASKS, "show", self._id))
