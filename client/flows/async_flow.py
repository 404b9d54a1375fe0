"""What a flow has for event loops."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Self

from ...common.contract.flows import MemberRow
from ...common.contract.rows import all_from_wire
from ...common.domain.flow import COLLECT
from ..tasks.handles import Handles
from ..tasks.id_runs import IdRuns
from ..tasks.lent_slot import await_lending
from ..tasks.open_flow import OPEN_FLOW
from .block import FLOWS, FlowBlock
from .progress import FlowProgress, progress_of

if TYPE_CHECKING:
    from ...common.errors import FlowFailed
    from ..tasks.submitter import Submitter


class AsyncFlow(FlowBlock):
    """The twins of what blocks."""

    if TYPE_CHECKING:

        @property
        def handles(self) -> Handles[Any]: ...
        def _callback(self, kind: str, task: Submitter[..., Any]) -> tuple[Any, ...]: ...
        def _failure(self, shown: dict[str, Any]) -> FlowFailed: ...
        def _gives_results(self, shown: dict[str, Any]) -> bool: ...

    async def __aenter__(self) -> Self:
        import asyncio

        if self._id is None:
            await self.session.ashards()
            opening = self.session.start_call(FLOWS, "open", *self._new())
            self._id = self._opened(await asyncio.wrap_future(opening))
        self._next_place = 0
        self._joined = OPEN_FLOW.set(self)
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        import asyncio

        for method, *args in self._left(error):
            await asyncio.wrap_future(self.session.start_call(FLOWS, method, *args))

    async def aresult(self) -> list[Any]:
        """Wait until the flow has ended and return the results of its tasks, for an event loop.

        Returns:
            As ``result``.

        Raises:
            FlowFailed: As ``result``.
        """
        import asyncio

        waiting = asyncio.wrap_future(self.session.start_call(FLOWS, "wait", self.flow_id))
        await await_lending(waiting, lambda: list(self.handles._ids.runs()))
        shown = await self._ask("show")
        if not self._gives_results(shown):
            # It asks for the error of the first failed task, and blocks.
            raise await asyncio.to_thread(self._failure, shown)
        handles = await self.ahandles()
        return [one async for one in handles.results(return_exceptions=self._on_error == COLLECT)]

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self.aresult().__await__()

    async def athen(self, task: Submitter[..., Any]) -> Self:
        """Do as ``then``, for an event loop.

        Args:
            task: As for ``then``.

        Returns:
            The flow.
        """
        await self._ask("call_back", *self._callback("then", task))
        return self

    async def acatch(self, task: Submitter[..., Any]) -> Self:
        """Do as ``catch``, for an event loop.

        Args:
            task: As for ``then``.

        Returns:
            The flow.
        """
        await self._ask("call_back", *self._callback("catch", task))
        return self

    async def afinally_(self, task: Submitter[..., Any]) -> Self:
        """Do as ``finally_``, for an event loop.

        Args:
            task: As for ``then``.

        Returns:
            The flow.
        """
        await self._ask("call_back", *self._callback("finally", task))
        return self

    async def ahandles(self) -> Handles[Any]:
        """Find the handles of its tasks, for an event loop.

        Returns:
            As ``handles``.
        """
        members = Members()
        while members.took(await self._ask("members", members.place)):
            pass
        return Handles(self.session, members.ids)

    async def aprogress(self) -> FlowProgress:
        """Ask how far it is, for an event loop.

        Returns:
            As ``progress``.
        """
        return progress_of(await self._ask("show"))

    async def acancel(self, reason: str = "") -> FlowProgress:
        """Cancel all its tasks that have not ended, for an event loop.

        Args:
            reason: Shown to people.

        Returns:
            As ``cancel``.
        """
        return progress_of(await self._ask("cancel", reason))

    async def aretry(self) -> FlowProgress:
        """Retry its tasks that did not succeed, for an event loop.

        Returns:
            As ``retry``.
        """
        return progress_of(await self._ask("retry", (await self.aprogress()).run))

    async def _ask(self, method: str, *args: Any) -> Any:
        import asyncio

        return await asyncio.wrap_future(self.session.start_call(FLOWS, method, self.flow_id, *args))


class Members:
    """The tasks of a flow, read in portions from ``place`` on."""

    def __init__(self) -> None:
        self.ids, self.place = IdRuns(), 0

    def took(self, answer: Any) -> bool:
        """Whether there was any in it."""
        rows = all_from_wire(MemberRow, answer)
        for row in rows:
            self.ids.append(int.from_bytes(row.first, "big"), row.tasks)
            self.place = row.place + row.tasks
        return bool(rows)
