"""The object for flows that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``flows.py`` the
behaviour.

``get_flows()``. A flow belongs to the key that opened it; others see it when they may use the queues of all its tasks, and are
answered that there is none when they may not.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.flows import MemberRow
from ...common.contract.rows import to_wire
from ...common.domain.columns import LaneColumns
from ...common.domain.flow import CALLBACKS, FLOW_KEY_BYTES_MAX, FLOW_NAME_CHARS_MAX, ON_ERROR, keyed_flow_id
from ...common.domain.id_text import check_prefix, check_tail, ids_that_begin, show_short
from ...common.domain.model import Role, TaskOptions, check_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.wire.frames import pack
from ..api.validation import (
    NUMBER_MAX,
    EngineObject,
    allow_queue,
    validate_flag,
    validate_text,
    validate_token,
    validate_whole,
)
from ..engine.session import Call
from ..store.interface.flows import FlowCallback, FlowRow
from ..tasks import lookup
from ..tasks.origins import is_of_flow
from ..tasks.shown import begun
from .callbacks import FlowCallbacks
from .flows import Flows
from .graph import GraphAnswer
from .shown import listed, summary
from .table import FlowTable, check_flow_id
from .waits import FlowWaits

LIST_MAX: Final = 500
LOOKED_MAX: Final = 5_000  # flows that one call looks at
MEANT_MAX: Final = 8  # that are answered when several are meant
MEMBERS_MAX: Final = 10_000  # rows of one answer

Rows = list[Any]  # an alias, because the object has a method called list


class FlowsObject(EngineObject):
    """``get_flows()``"""

    @property
    def _table(self) -> FlowTable:
        return self.engine.part(Flows).table

    @exposed(Role.CLIENT)
    def open(
        self, call: Call, flow: bytes, name: str = "", on_error: str = "fail_fast", key: bytes | None = None
    ) -> dict[str, Any]:
        """Open a flow with this id; answers it. ``key``: instead of the id, which is computed from it then."""
        if len(validate_text("name", name)) > FLOW_NAME_CHARS_MAX:
            raise InvalidArgument(f"a flow's name has at most {FLOW_NAME_CHARS_MAX} characters")
        if on_error not in ON_ERROR:
            raise InvalidArgument(f"on_error is one of {', '.join(ON_ERROR)}, not {brief(on_error, 40)}")
        if key is not None:
            if type(key) is not bytes or not 0 < len(key) <= FLOW_KEY_BYTES_MAX:
                raise InvalidArgument(f"a flow's key is text of 1 to {FLOW_KEY_BYTES_MAX:,} bytes")
            flow = keyed_flow_id(call.session.verifier.key_id, key, self.engine.core.shard.number)
        row = self.engine.part(Flows).open(call.session, check_flow_id(flow), name, on_error, self.engine.now)
        return summary(self.engine, row)

    @exposed(Role.CLIENT)
    def seal(self, call: Call, flow: bytes) -> None:
        """All is submitted: the flow ends when each of its tasks has."""
        self.engine.part(Flows).seal(call.session, check_flow_id(flow))

    @exposed(Role.CLIENT)
    def call_back(
        self,
        call: Call,
        flow: bytes,
        token: bytes,
        kind: str,
        queue: str,
        task: str,
        options: dict[str, Any],
        columns: dict[str, Any] | None = None,
    ) -> None:
        """Have a task made when the flow ends: ``then`` if it succeeded, ``catch`` if not, ``finally`` in either case. ``token``: 16 bytes
        that name the callback. ``columns``: its limits, its tenant, and what is made of it if it fails."""
        row = self._table.find(call.session, flow)
        allow_queue(call, check_name("queue", queue))
        if kind not in CALLBACKS:
            raise InvalidArgument(f"a callback is one of {', '.join(CALLBACKS)}, not {brief(kind, 40)}")
        if not isinstance(options, dict):
            raise InvalidArgument("options must be a map")
        # Read and written again: what is stored is known to be valid, without what says the default.
        chosen = TaskOptions.from_wire(options).to_wire()
        task = check_name("task", validate_text("task", task))
        packed = pack(chosen) if chosen else None
        said = pack(LaneColumns.from_wire(columns, 1).to_wire()) if columns else None
        token = validate_token("callback", token)
        callback = FlowCallback(row.number, token, kind, queue, task, packed, columns=said)
        self.engine.part(FlowCallbacks).add(call.session, row, callback, self.engine.now)

    @exposed(Role.CLIENT)
    def cancel(self, call: Call, flow: bytes, reason: str = "") -> dict[str, Any]:
        """Cancel all tasks of it that have not ended; answers it."""
        row = self.engine.part(Flows).cancel(
            call.session, check_flow_id(flow), validate_text("reason", reason)
        )
        return summary(self.engine, row)

    @exposed(Role.CLIENT)
    def retry(self, call: Call, flow: bytes, run: int) -> dict[str, Any]:
        """Retry its tasks that did not succeed; answers it. ``run``: its last run that the caller knows."""
        run = validate_whole("run", run, 1, NUMBER_MAX)
        return summary(self.engine, self.engine.part(Flows).retry(call.session, check_flow_id(flow), run))

    @exposed(Role.VIEWER)
    def wait(self, call: Call, flow: bytes) -> object:
        """Answered when the flow has ended."""
        row = self._table.find(call.session, flow)
        return self.engine.part(FlowWaits).wait(call, row)

    @exposed(Role.VIEWER)
    def show(self, call: Call, flow: bytes) -> dict[str, Any]:
        """A flow, and how many of its tasks are in which state."""
        return summary(self.engine, self._table.find(call.session, flow))

    @exposed(Role.VIEWER)
    def members(self, call: Call, flow: bytes, place: int = 0) -> Rows:
        """Its tasks from a place on, in the order of submission: ``[[place, first id, how many], …]``; empty at the end."""
        row = self._table.find(call.session, flow)
        place = validate_whole("place", place, 0, NUMBER_MAX)
        if place >= row.total:
            return []
        # What this transaction has submitted may not be written yet.
        self.engine.store.settle()
        found = self.engine.store.flows.members(row.number, place, MEMBERS_MAX)
        self.engine.work.gave(len(found), 0)
        return [to_wire(MemberRow(one.place, one.id, one.tasks)) for one in found]

    @exposed(Role.VIEWER)
    def graph(self, call: Call, flow: bytes, place: int = 0) -> dict[str, Any]:
        """Its tasks from a place on, with their names, states and times, and what they need; ``place`` in the answer: where the next
        portion begins, nil at the end."""
        row = self._table.find(call.session, flow)
        place = validate_whole("place", place, 0, NUMBER_MAX)
        if place >= row.total:
            return {"rows": [], "place": None}
        return GraphAnswer(self.engine, call.session, row).answer(place)

    @exposed(Role.VIEWER)
    def list(
        self, call: Call, behind: int | None = None, limit: int = 100, short: bool = False
    ) -> dict[str, Any]:
        """Flows, newest first; ``behind`` in the answer: where the next portion begins, nil at the end. ``short``: each with its id as
        short as it may be written."""
        limit = validate_whole("limit", limit, 1, LIST_MAX)
        number = NUMBER_MAX if behind is None else validate_whole("behind", behind, 0, NUMBER_MAX)
        table, found, looked = self._table, list[FlowRow](), 0
        while len(found) < limit and looked < LOOKED_MAX:
            rows = self.engine.store.flows.before(number, LIST_MAX)
            for row in rows:
                number = row.number
                row = table.live_row(row)
                if table.may_see(call.session, row):
                    found.append(row)
                if len(found) == limit:
                    break
            looked += len(rows)
            if len(rows) < LIST_MAX and (not rows or number == rows[-1].number):
                number = 0
                break
        self.engine.work.gave(looked, 0)
        # Of all together: there may be as many that run as there are slots.
        running = Counter(held.origin for held in begun(self.engine))
        answer = [listed(row, running[-row.number], self.engine.now) for row in found]
        if validate_flag("short", short):
            for row, shown in zip(found, answer, strict=True):
                shown["short"] = show_short(row.id, table.digits(call.session, row.id))
        return {"rows": answer, "behind": number or None}

    @exposed(Role.VIEWER)
    def meant(self, call: Call, prefix: str, tail: str = "") -> dict[str, Any]:
        """The flows whose ids begin and end with these hexadecimal digits: the first few, and whether there are ``more``."""
        prefix = check_prefix(validate_text("prefix", prefix))
        tail = check_tail(validate_text("tail", tail))
        rows = self.engine.store.flows.between(*ids_that_begin(prefix), LOOKED_MAX)
        self.engine.work.gave(len(rows), 0)
        if len(rows) == LOOKED_MAX:
            return {"rows": [], "more": True}  # it cannot be known that there is but one
        found = [
            row for row in rows if row.id.hex().endswith(tail) and self._table.may_see(call.session, row)
        ]
        shown = [{"id": row.id, "name": row.name} for row in found[:MEANT_MAX]]
        return {"rows": shown, "more": len(found) > MEANT_MAX}

    @exposed(Role.VIEWER)
    def of_task(self, call: Call, id: bytes) -> bytes | None:
        """The id of the flow of a task; nil if it is in none."""
        origin = lookup.task(self.engine, call.session, check_flow_id(id)).origin
        row = self.engine.store.flows.get(-origin) if is_of_flow(origin) else None
        return None if row is None else row.id
