"""The store's verbs for flows, their tasks and their callbacks. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class FlowRow(NamedTuple):
    number: int
    id: bytes
    name: str
    key: str  # the id of its maker's key
    node: bytes | None  # of the program that fills it; None: it is sealed
    collects: int  # 1: a task that fails ends none of the others
    state: str
    ending: int  # 0: it goes on; 1: it ends because a task failed; 2: it was cancelled
    reason: str
    work: int  # 0: nothing; 1: its tasks are cancelled, in portions; 2: retried
    place: int  # up to which that is done
    run: int
    total: int
    succeeded: int
    failed: int
    cancelled: int
    culprit: bytes | None
    created: int
    finished: int | None


class NewFlow(NamedTuple):
    id: bytes
    name: str
    key: str
    node: bytes
    collects: int
    state: str
    created: int


class FlowMembers(NamedTuple):
    """Tasks with consecutive ids."""

    flow: int
    place: int
    id: bytes
    tasks: int


class FlowCallback(NamedTuple):
    flow: int
    token: bytes
    kind: str
    queue: str
    task: str
    options: bytes | None
    run: int = 0  # the last run that it was decided for
    columns: bytes | None = None  # its limits, tenant and handler, packed


class FlowStore(Protocol):
    def add(self, row: NewFlow) -> FlowRow: ...
    def find(self, id: bytes) -> FlowRow | None: ...
    def get(self, number: int) -> FlowRow | None: ...
    def put(self, rows: Sequence[FlowRow]) -> None:
        """Replace the rows of these numbers."""

    def unfinished(self) -> list[FlowRow]:
        """Those that have not ended, or of which something is still to be done."""

    def before(self, number: int, limit: int) -> list[FlowRow]:
        """Those with a smaller number, newest first."""

    def between(self, first: bytes, last: bytes, limit: int) -> list[FlowRow]:
        """Those with ids from the first to the last, in order of their ids."""

    def neighbours(self, id: bytes) -> tuple[bytes | None, bytes | None]:
        """The next lower id of a flow, and the next higher one."""

    # tasks
    def add_members(self, rows: Sequence[FlowMembers]) -> None: ...
    def members(self, flow: int, place: int, limit: int) -> list[FlowMembers]:
        """From the one that has this place on, in order."""

    def add_queue(self, flow: int, queue: str) -> None: ...
    def queues(self, flow: int) -> list[str]: ...

    # callbacks
    def add_callback(self, row: FlowCallback) -> None:
        """One that is there, with this token, stays as it is."""

    def count_callbacks(self, flow: int, besides: bytes) -> int:
        """Those with another token."""

    def callbacks(self, flow: int, run: int, limit: int) -> list[FlowCallback]:
        """Those that are not decided for this run."""

    def decided(self, rows: Sequence[FlowCallback]) -> None:
        """Note their ``run``."""

    def with_callbacks(self) -> list[int]:
        """Flows that have ended, with callbacks that are not decided for their run."""

    # old ones
    def oldest(self) -> int | None:
        """When the first of those that have ended did."""

    def forget(self, before: int, limit: int) -> int:
        """Delete those that ended before, the earliest first; a bounded number of rows. How many rows."""
