"""The embedded store's verbs for flows: see ``interface.flows.FlowStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.flows import FlowCallback, FlowMembers, FlowRow, NewFlow
from .part import SqlitePart


class SqliteFlows(SqlitePart):
    def add(self, row: NewFlow) -> FlowRow:
        return FlowRow(*self._all("add_flow", row)[0])

    def find(self, id: bytes) -> FlowRow | None:
        rows = self._all("flow_by_id", (id,))
        return FlowRow(*rows[0]) if rows else None

    def get(self, number: int) -> FlowRow | None:
        rows = self._all("flow_by_number", (number,))
        return FlowRow(*rows[0]) if rows else None

    def put(self, rows: Sequence[FlowRow]) -> None:
        self._exactly("put_flow", [row._asdict() for row in rows])

    def unfinished(self) -> list[FlowRow]:
        return [FlowRow(*row) for row in self._all("unfinished_flows")]

    def before(self, number: int, limit: int) -> list[FlowRow]:
        return [FlowRow(*row) for row in self._all("flows_before", (number, limit))]

    def between(self, first: bytes, last: bytes, limit: int) -> list[FlowRow]:
        return [FlowRow(*row) for row in self._all("flows_between", (first, last, limit))]

    def neighbours(self, id: bytes) -> tuple[bytes | None, bytes | None]:
        [(lower, higher)] = self._all("flow_neighbours", {"id": id})
        return lower, higher

    # tasks

    def add_members(self, rows: Sequence[FlowMembers]) -> None:
        self._many("add_flow_members", rows)

    def members(self, flow: int, place: int, limit: int) -> list[FlowMembers]:
        which = {"flow": flow, "place": place, "limit": limit}
        return [FlowMembers(*row) for row in self._all("flow_members_from", which)]

    def add_queue(self, flow: int, queue: str) -> None:
        self._many("add_flow_queue", [(flow, queue)])

    def queues(self, flow: int) -> list[str]:
        return [queue for (queue,) in self._all("flow_queues", (flow,))]

    # callbacks

    def add_callback(self, row: FlowCallback) -> None:
        self._many("add_flow_callback", [row])

    def count_callbacks(self, flow: int, besides: bytes) -> int:
        [(count,)] = self._all("count_flow_callbacks", (flow, besides))
        return int(count)

    def callbacks(self, flow: int, run: int, limit: int) -> list[FlowCallback]:
        return [FlowCallback(*row) for row in self._all("flow_callbacks_left", (flow, run, limit))]

    def decided(self, rows: Sequence[FlowCallback]) -> None:
        self._many("flow_callback_decided", [(row.run, row.flow, row.token) for row in rows])

    def with_callbacks(self) -> list[int]:
        return [flow for (flow,) in self._all("flows_with_callbacks")]

    # old ones

    def oldest(self) -> int | None:
        [(moment,)] = self._all("oldest_flow")
        return None if moment is None else int(moment)

    def forget(self, before: int, limit: int) -> int:
        rows = self._all("old_flow", (before,))
        if not rows:
            return 0
        [(flow,)] = rows
        # A flow may have a million members: the row of the flow goes last, so that the next portion finds it again.
        gone = len(self._all("forget_flow_members", {"flow": flow, "limit": limit}))
        if gone < limit:
            self._many("forget_flow_queues", [(flow,)])
            self._many("forget_flow_callbacks", [(flow,)])
            self._many("forget_flow", [(flow,)])
        # Never 0 while there was one, which is how the caller knows that it has to go on.
        return gone + 1
