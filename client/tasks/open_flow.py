"""The flow that submits join: inside ``with app.flow(…)``."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from ...common.domain.ids import ComputedId
    from ..core.session import ClientSession


class OpenFlow(Protocol):
    """An open flow; see ``client/flows/flow.py``. Compared by identity."""

    session: ClientSession

    @property
    def flow_id(self) -> bytes: ...
    @property
    def has_key(self) -> bool: ...
    def next_id(self, queue: str, task: str, shard: int = 0) -> ComputedId:
        """Of the next task of a flow with a key: the same each time the same program runs."""


OPEN_FLOW: Final[ContextVar[OpenFlow | None]] = ContextVar("tq_flow", default=None)


def open_flow(session: ClientSession) -> OpenFlow | None:
    """The flow that a submit of this session in this thread joins. In a worker's process all sessions are of one master."""
    flow = OPEN_FLOW.get()
    if flow is None or flow.session is session:
        return flow
    from ...common.wire.caller import ambient

    return flow if ambient() is not None else None
