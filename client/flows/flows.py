"""What an App has for flows, and which flow the context of a task names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ...common.domain.context import Context, current, find_flows_by
from ...common.errors import InvalidArgument

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .flow import Flow


class FlowingApp:
    """What an App has for flows."""

    session: ClientSession

    if TYPE_CHECKING:

        def has_task(self, name: str) -> bool: ...

    def flow(
        self,
        name: str = "",
        *,
        on_error: str = "fail_fast",
        key: str | None = None,
        queue: str = "default",
    ) -> Flow:
        """Make tasks one thing: each that is submitted in the block is part of the flow.

        Args:
            name: Shown to people, up to 255 characters; several flows may have the same.
            on_error: ``"fail_fast"`` cancels the other tasks when one does not succeed, ``"collect"`` lets them go on.
            key: Makes the flow idempotent: the same program run again with the same key submits the same tasks, those that are
                missing, and no task twice. Each of its tasks is stored by itself.
            queue: On a cluster with several shards, a queue of its tasks: the flow is in the shard of that queue, and so are all of them.

        Returns:
            The context of the block.

        Raises:
            InvalidArgument: An argument cannot be used.

        Example::

            with app.flow("thumbnails") as flow:
                thumb.map(paths)
            print(len(flow.result()))
        """
        from .flow import Flow

        return Flow(self.session, None, name, on_error, key, queue)

    def get_flow(self, flow_id: str) -> Flow:
        """Find a flow by its id, also one that another program opened.

        Args:
            flow_id: The id as text, as ``flow.id`` and ``tq flow ls`` show it, whole or shortened.

        Returns:
            The flow.

        Raises:
            InvalidArgument: It is not an id, a shortened one that may mean several, or there is no such flow for this key.
        """
        from ..core.blocking import warn_on_loop
        from .found import found_flow

        warn_on_loop("await app.aget_flow(…)")
        return found_flow(self.session, flow_id)

    async def aget_flow(self, flow_id: str) -> Flow:
        """Do as ``get_flow``, for an event loop.

        Args:
            flow_id: The id as text.

        Returns:
            The flow.
        """
        from .found import found_flow_async

        return await found_flow_async(self.session, flow_id)

    def current_flow(self) -> Flow | None:
        """Find the flow of the task that runs here, so that it can submit into it: ``with app.current_flow():``.

        ``ctx.flow`` is the same.

        Returns:
            The flow; None where no task runs, or one that is in no flow.
        """
        from ..core.blocking import warn_on_loop
        from .found import flow_of_task

        warn_on_loop("await app.acurrent_flow()")
        context = current()
        return None if context is None else flow_of_task(self.session, context.id)

    async def acurrent_flow(self) -> Flow | None:
        """Do as ``current_flow``, for an event loop: ``async with await app.acurrent_flow():``.

        Returns:
            The flow; None where no task runs, or one that is in no flow.
        """
        from .found import flow_of_task_async

        context = current()
        return None if context is None else await flow_of_task_async(self.session, context.id)


apps: WeakSet[FlowingApp] = WeakSet()  # of this process


def _flow_of(context: Context) -> Any:
    """The flow of the task of a context, on the connection of the app whose task it is. In a worker's process any will do."""
    from ...common.wire.caller import ambient
    from ..core.blocking import warn_on_loop
    from .found import flow_of_task

    warn_on_loop("async with await app.acurrent_flow():")
    own = next((app for app in apps if ambient() is not None or app.has_task(context.name)), None)
    if own is None:
        raise InvalidArgument(
            "ctx.flow asks the master by the App of the task, and there is none here: make one in its module, app = tq.App()"
        )
    return flow_of_task(own.session, context.id)


find_flows_by(_flow_of)
