"""What a handle asks the master about its task, one call each: how far it is, how its attempts went, what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.blocking import warn_on_loop
from .answers import NO_TEXT, TASKS, Attempt, Progress, arguments_of, attempts_of, progress_of

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .place import Estimate, Eta, Position


class TaskLooks:
    """The part of a handle that looks. Each has a twin in ``AsyncCalls``."""

    __slots__ = ("_estimate",)
    _session: ClientSession
    _id: bytes
    _estimate: Estimate  # of when it starts, as it was said last; not set before that

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
    def position(self) -> Position | None:
        """How many tasks start before this one.

        None when it does not stand in line: it runs, has ended, or something else holds it back, which ``why()`` says. One call to the
        master.
        """
        from .place import position_from

        warn_on_loop("await handle.aposition()")
        return position_from(self._session.call(TASKS, "why", self._id))

    @property
    def eta(self) -> Eta | None:
        """When the task starts, between two moments, from how long tasks have taken of late.

        It is never later than what this handle said before, unless its ``cause`` says why. None when the task does not stand in line, or
        nothing is known. One call to the master.
        """
        warn_on_loop("await handle.aeta()")
        return self._foreseen(self._session.call(TASKS, "why", self._id))

    def _foreseen(self, answer: dict[str, Any]) -> Eta | None:
        from .place import estimate_from, eta_of

        estimate = estimate_from(answer)
        if estimate is None:
            return None
        self._estimate, cause = estimate.after(getattr(self, "_estimate", None))
        return eta_of(self._estimate, cause)

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the keyword arguments that the task was submitted with. One call to the master."""
        warn_on_loop("await handle.aarguments()")
        return arguments_of(self._session.call(TASKS, "show", self._id))
