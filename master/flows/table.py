"""The flows that a transaction knows: rows of the store, and in memory those that have not ended. Pure but for the store."""

from __future__ import annotations

from typing import Any

from ...common.domain.id_text import DIGITS, SHORT_DIGITS, digits_to_tell
from ...common.domain.ids import show_id
from ...common.domain.model import TASK_ID_BYTES
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.accounts import Account, Resource, charged, give_back
from ..engine.session import Session
from ..store.interface.flows import FlowRow, FlowStore
from .live import LiveFlow


class FlowTable:
    def __init__(self, store: FlowStore) -> None:
        self._store = store
        self._live: dict[int, LiveFlow] = {}
        self._by_id: dict[bytes, LiveFlow] = {}
        self.filled: dict[bytes, dict[int, None]] = {}  # by node: the numbers of those that it fills
        self._changed: dict[LiveFlow, None] = {}

    def load(self) -> list[FlowRow]:
        """Take those of the store that have not ended."""
        before = self._by_id
        self._live, self._by_id, self.filled = {}, {}, {}
        self._changed.clear()
        rows = self._store.unfinished()
        for row in rows:
            known = before.pop(row.id, None)
            account = None if known is None else known.account
            self.know(LiveFlow(row, set(self._store.queues(row.number)), account))
        for gone in before.values():  # made in the transaction that failed
            give_back(gone.account, Resource.FLOWS)
        return rows

    def know(self, flow: LiveFlow) -> None:
        self._live[flow.row.number] = self._by_id[flow.row.id] = flow
        if flow.row.node is not None:
            self.filled.setdefault(flow.row.node, {})[flow.row.number] = None

    def forget(self, flow: LiveFlow) -> None:
        """It has ended."""
        del self._live[flow.row.number], self._by_id[flow.row.id]
        give_back(flow.account, Resource.FLOWS)

    def changed(self, flow: LiveFlow) -> None:
        """Its row is to be written at the end of this transaction."""
        self._changed[flow] = None

    def take_changed(self) -> list[LiveFlow]:
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def live(self, number: int) -> LiveFlow | None:
        return self._live.get(number)

    def row(self, id: bytes) -> FlowRow | None:
        live = self._by_id.get(id)
        return self._store.find(id) if live is None else live.row

    def find(self, session: Session, id: Any) -> FlowRow:
        """By what a caller has said. Raises InvalidArgument, also when this key may not see it."""
        row = self.row(check_flow_id(id))
        if row is None or not self.may_see(session, row):
            raise InvalidArgument(
                f"there is no flow {show_id(id)}: never opened here, or kept no longer; `tq flow ls` shows them"
            )
        return row

    def live_row(self, row: FlowRow) -> FlowRow:
        """As it is in this transaction."""
        live = self._live.get(row.number)
        return row if live is None else live.row

    def may_see(self, session: Session, row: FlowRow) -> bool:
        """A flow belongs to the key that opened it; others see it when they may use the queues of all its tasks."""
        key = session.verifier
        if row.key == key.key_id or not key.queues:
            return True
        live = self._live.get(row.number)
        queues = self._store.queues(row.number) if live is None else live.queues
        return bool(queues) and all(map(session.allows_queue, queues))

    def digits(self, session: Session, id: bytes) -> int:
        """How many digits tell an id from all others; a key that does not see all flows gets all: fewer would tell it of others."""
        if session.verifier.queues:
            return DIGITS
        number = int.from_bytes(id, "big")
        others = (one for one in self._store.neighbours(id) if one is not None)
        return max(SHORT_DIGITS, *(digits_to_tell(number, int.from_bytes(one, "big")) for one in others), 0)

    def own(self, session: Session, id: bytes) -> LiveFlow:
        """The live flow of a row that was found, or one made of it, on the account of this key. Raises QuotaExceeded."""
        row = self.find(session, id)
        flow = self._live.get(row.number)
        if flow is None:
            with charged(session.account, Resource.FLOWS):
                flow = self._alive_again(row, session.account)
        return flow

    def _alive_again(self, row: FlowRow, account: Account | None = None) -> LiveFlow:
        flow = LiveFlow(row, set(self._store.queues(row.number)), account)
        self.know(flow)
        self.changed(flow)
        return flow

    def again(self, number: int) -> LiveFlow | None:
        flow = self._live.get(number)
        if flow is None and (row := self._store.get(number)) is not None:
            flow = self._alive_again(row)
        if flow is not None:
            self.changed(flow)
        return flow

    def filled_by_none(self, flow: LiveFlow) -> None:
        node = flow.row.node
        if node is not None and (mine := self.filled.get(node)) is not None:
            mine.pop(flow.row.number, None)
            if not mine:
                del self.filled[node]


def check_flow_id(id: Any) -> bytes:
    """Raises InvalidArgument."""
    if type(id) is not bytes or len(id) != TASK_ID_BYTES:
        raise InvalidArgument(f"a flow's id is {TASK_ID_BYTES} bytes, not {brief(id, 60)}")
    return id
