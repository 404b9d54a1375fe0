"""A flow: tasks that are one thing, with one id, one state and one end. ``app.flow(…)`` makes one.

::

    with app.flow("nightly") as flow:     opened at the master
        fetch.map(urls)                   each task that is submitted in the block is part of it
        flow.then(report)
                                          sealed: it ends when each of its tasks has
    flow.result()

The counts are the master's. A program that only waits keeps nothing of the tasks.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import wait as futures_wait
from typing import TYPE_CHECKING, Any, Final, Self

from ...common.domain.columns import NO_COLUMNS
from ...common.domain.flow import COLLECT, FlowState
from ...common.domain.ids import parse_id
from ...common.domain.shards import is_spread, shard_of_id, shard_of_name
from ...common.errors import FlowFailed, InvalidArgument
from ...common.values.brief import brief
from ..core.blocking import warn_on_loop
from ..tasks.handle import Handle
from ..tasks.handles import Handles
from ..tasks.lent_slot import wait_lending
from ..tasks.made_by_master import A_CALLBACK, called_back
from ..tasks.submission import lane_columns
from ..tasks.submitter import Submitter
from .async_flow import AsyncFlow, Members
from .block import FLOWS
from .progress import FlowProgress, progress_of

if TYPE_CHECKING:
    from concurrent.futures import Future


TOKEN_BYTES: Final = 16


class Flow(AsyncFlow):
    """Tasks that are one thing: with one id, one state, counts and an end.

    Each task that is submitted with the same App inside ``with app.flow(…):`` is part of it. The end of the block seals the flow, and
    an exception in the block cancels it. If the program is lost before that, the master cancels the flow after the grace.
    Inside ``with`` a flow that was found, by ``app.get_flow`` or ``app.current_flow``, tasks are submitted into it, and
    the end of the block changes nothing.

    ``await flow`` waits for the end and gives the results, as ``result``.
    """

    _tq_remedy = "send its id, of which app.get_flow(id) makes it again"

    # at its end

    def then(self, task: Submitter[..., Any]) -> Self:
        """Have a task made when the flow has succeeded, once in each run.

        Args:
            task: A task, or a variant of one from ``using``. Its argument is a dict that says how the flow ended: ``id``,
                ``name``, ``state``, ``run``, ``total``, ``succeeded``, ``failed``, ``cancelled``, ``first_failure``, ``reason``,
                ``created`` and ``finished``.

        Returns:
            The flow.

        Raises:
            Forbidden: The key does not cover the queue of the task, or another key opened the flow.
        """
        return self._call_back("then", task)

    def catch(self, task: Submitter[..., Any]) -> Self:
        """Have a task made when the flow has failed or was cancelled, once in each run.

        Args:
            task: As for ``then``.

        Returns:
            The flow.
        """
        return self._call_back("catch", task)

    def finally_(self, task: Submitter[..., Any]) -> Self:
        """Have a task made when the flow has ended in any way, once in each run.

        Args:
            task: As for ``then``.

        Returns:
            The flow.
        """
        return self._call_back("finally", task)

    def _call_back(self, kind: str, task: Submitter[..., Any]) -> Self:
        warn_on_loop(f"await flow.a{kind}{'_' if kind == 'finally' else ''}(…)")
        callback = self._callback(kind, task)
        self.session.ask(FLOWS, "call_back", self.flow_id, *callback)
        return self

    def _callback(self, kind: str, task: Submitter[..., Any]) -> tuple[Any, ...]:
        if not isinstance(task, Submitter):
            raise InvalidArgument(
                f"{brief(task, 80)} is not a task: a callback is made by a worker; give what @app.task has made"
            )
        choice = called_back(task.made_by(A_CALLBACK))
        columns = lane_columns(choice)
        shards = self.session.known_shards or 1
        elsewhere = shard_of_name(choice.queue, shards) != shard_of_id(self.flow_id)
        if shards > 1 and elsewhere and not is_spread(choice.queue):
            raise InvalidArgument(
                f"queue {choice.queue} of the callback {task.name} is in another shard than the flow: give it a queue with the tag of those "
                "of the flow, as {tag}" + choice.queue
            )
        # A token: the call may be repeated after a lost connection, and makes one callback all the same.
        said = os.urandom(TOKEN_BYTES), kind, choice.queue, task.name, choice.wire
        return said if columns == NO_COLUMNS else (*said, columns.to_wire())

    def result(self, timeout: float | None = None) -> list[Any]:
        """Wait until the flow has ended and return the results of its tasks.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            The results in the order of submission. In a flow that collects, the error of a task that did not succeed stands
            in the place of its result.

        Raises:
            FlowFailed: It failed or was cancelled; a flow that collects raises it only when it was cancelled.
            TimeoutError: It has not ended in time.
        """
        warn_on_loop("await flow")
        deadline = None if timeout is None else time.monotonic() + timeout
        self._wait(timeout)
        shown = self.session.ask(FLOWS, "show", self.flow_id)
        if not self._gives_results(shown):
            raise self._failure(shown)
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        return list(self.handles.results(left, return_exceptions=self._on_error == COLLECT))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flow has ended.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            False when the time is over first.
        """
        warn_on_loop("await flow")
        try:
            self._wait(timeout)
        except TimeoutError:
            return False
        return True

    def _wait(self, timeout: float | None) -> None:
        waiting: Future[Any] = self.session.start_call(FLOWS, "wait", self.flow_id)

        def ends(seconds: float | None) -> bool:
            return bool(futures_wait([waiting], seconds).done)

        if wait_lending(ends, lambda: list(self.handles._ids.runs()), timeout):
            waiting.result()
        else:
            # The master need not keep a call that no one waits for.
            waiting.cancel()
            progress = self.progress
            raise TimeoutError(
                f"the flow has not ended within {timeout:g} s: it is {progress.state}, {progress.done:,} of {progress.total:,} tasks "
                "have ended"
                + (
                    ""
                    if progress.state != FlowState.OPEN
                    else "; it ends after it is sealed, by the end of its block"
                )
            )

    def _gives_results(self, shown: dict[str, Any]) -> bool:
        # As the master has it: this program may have found the flow, and not opened it.
        self._on_error = shown["on_error"]
        return shown["state"] == FlowState.SUCCEEDED or (
            shown["state"] == FlowState.FAILED and self._on_error == COLLECT
        )

    def _failure(self, shown: dict[str, Any]) -> FlowFailed:
        progress, first = progress_of(shown), shown["first_failure"]
        who = f"the flow {self.name or self.id}"
        if progress.state == FlowState.CANCELLED:
            return FlowFailed(
                f"{who} was cancelled" + (f": {progress.reason}" if progress.reason else ""), shown
            )
        failed = progress.failed + progress.cancelled
        error = FlowFailed(
            f"{who} failed: {failed:,} of {progress.total:,} tasks did not succeed, first {first}; `tq show {first}` has its error",
            shown,
        )
        if first is not None:
            error.__cause__ = Handle[Any](self.session, parse_id(first)).exception()
        return error

    # looked at and changed

    @property
    def handles(self) -> Handles[Any]:
        """The handles of its tasks, in the order of submission."""
        warn_on_loop("await flow.ahandles()")
        members = Members()
        # In portions: a flow may have a million tasks.
        while members.took(self.session.ask(FLOWS, "members", self.flow_id, members.place)):
            pass
        return Handles(self.session, members.ids)

    @property
    def progress(self) -> FlowProgress:
        """How far it is; asks the master."""
        warn_on_loop("await flow.aprogress()")
        return progress_of(self.session.ask(FLOWS, "show", self.flow_id))

    @property
    def state(self) -> str:
        """``"open"``, ``"running"``, ``"succeeded"``, ``"failed"`` or ``"cancelled"``; asks the master."""
        return self.progress.state

    def cancel(self, reason: str = "") -> FlowProgress:
        """Cancel all its tasks that have not ended, those that run among them.

        Args:
            reason: Shown to people.

        Returns:
            How far it is; its tasks end soon after.
        """
        warn_on_loop("await flow.acancel()")
        return progress_of(self.session.ask(FLOWS, "cancel", self.flow_id, reason))

    def retry(self) -> FlowProgress:
        """Retry its tasks that did not succeed: the next run of the flow begins.

        Returns:
            How far it is.

        Raises:
            InvalidArgument: It has not ended.
        """
        warn_on_loop("await flow.aretry()")
        # With the run that is known here: a repeated call then does not begin a second one.
        return progress_of(self.session.ask(FLOWS, "retry", self.flow_id, self.progress.run))
