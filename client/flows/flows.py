"""What an App has for flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .flow import Flow


class FlowingApp:
    """What an App has for flows."""

    session: ClientSession

    def flow(self, name: str = "", *, on_error: str = "fail_fast", key: str | None = None) -> Flow:
        """Make tasks one thing: each that is submitted in the block is part of the flow.

        Args:
            name: Shown to people, up to 255 characters; several flows may have the same.
            on_error: ``"fail_fast"`` cancels the other tasks when one does not succeed, ``"collect"`` lets them go on.
            key: Makes the flow idempotent: the same program run again with the same key submits the same tasks, those that are
                missing, and no task twice. Each of its tasks is stored by itself.

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

        return Flow(self.session, None, name, on_error, key)

    def get_flow(self, flow_id: str) -> Flow:
        """Find a flow by its id, also one that another program opened.

        Args:
            flow_id: The id as text, as ``flow.id`` and ``tq flow ls`` show it.

        Returns:
            The flow.

        Raises:
            InvalidArgument: It is no id, or there is no such flow for this key.
        """
        from ...common.domain.ids import parse_id
        from ..core.blocking import warn_on_loop
        from .block import FLOWS
        from .flow import Flow

        warn_on_loop("await asyncio.to_thread(app.get_flow, …)")
        id = parse_id(flow_id, of="flow")
        shown = self.session.ask(FLOWS, "show", id)
        return Flow(self.session, id, shown["name"], shown["on_error"])

    def current_flow(self) -> Flow | None:
        """Find the flow of the task that runs here, so that it can submit into it: ``with app.current_flow():``.

        Returns:
            The flow; None where no task runs, or one that is in no flow.
        """
        from ...common.domain.context import current
        from ...common.domain.ids import parse_id, show_id
        from .block import FLOWS

        context = current()
        if context is None:
            return None
        id = self.session.ask(FLOWS, "of_task", parse_id(context.id))
        return None if id is None else self.get_flow(show_id(id))
