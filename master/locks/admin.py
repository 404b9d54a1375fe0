"""What operators see of the cluster's locks, events and barriers, and how they free or delete those that are stuck or left over.

``get_locks()``. A lock that belongs to one program is deleted with it and is private to it: it is not listed.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.values.brief import brief, few
from ..api.validation import EngineObject, allow_queue, describe_uses, validate_text, validate_whole
from ..engine.session import Call
from ..engine.work import text_bytes
from .calls import COUNTER_MAX
from .primitive import BARRIER, EVENT, LOCK, Primitive
from .primitives import Primitives

FAMILIES: Final = (LOCK, EVENT, BARRIER)
LOCKS_SHOWN_MAX: Final = 5_000  # locks in use come first
HOLDERS_SHOWN_MAX: Final = 20  # of one semaphore

# Of the texts of one answer, in characters, which are up to four bytes each: it stays below the limit of a frame.
LOCKS_BYTES_MAX: Final = 3 * 1024 * 1024
ROW_BYTES: Final = 100  # of a row, and of a holder in it, besides: the names of its fields, and numbers

Rows = list[dict[str, Any]]  # an alias, because the objects have a method called list
Tokens = list[int]


class LocksObject(EngineObject):
    """``get_locks()``: locks, semaphores, events and barriers."""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> dict[str, Any]:
        """``rows``, by name, and ``left_out``: how many more there are."""
        allows = call.session.allows_queue
        primitives = [
            one
            for one in self.engine.part(Primitives).by_name.values()
            if one.owner is None and allows(one.name)
        ]
        self.engine.work.glanced(len(self.engine.part(Primitives).by_name))
        shown = nsmallest(
            LOCKS_SHOWN_MAX,
            primitives,
            key=lambda one: (not (one.held or one.queue or one.conditions), one.name, one.family),
        )
        addresses = {session.node: session.address for session in self.engine.sessions}
        rows: Rows = []
        left = LOCKS_BYTES_MAX
        for primitive in shown:
            row = self._row(primitive, addresses)
            left -= ROW_BYTES + text_bytes(row) + ROW_BYTES * len(row["holders"])
            if left < 0:
                break
            rows.append(row)
        rows.sort(key=lambda row: (row["name"], row["kind"]))
        return {"rows": rows, "left_out": len(primitives) - len(rows)}

    @exposed(Role.ADMIN)
    def take_away(self, call: Call, name: str, token: int | None = None) -> Tokens:
        """Take a lock or semaphore from its holders, or from the holder of that fencing token only; returns the tokens taken. A
        holder notices when it releases the lock, or when a resource rejects its token."""
        primitive = self._find(call, name, LOCK)
        if token is not None:
            token = validate_whole("token", token, 1, COUNTER_MAX)
        lost = {claim.fence: key for key, claim in primitive.held.items() if token in (None, claim.fence)}
        if not lost:
            held = few((str(claim.fence) for claim in primitive.held.values()), HOLDERS_SHOWN_MAX)
            raise InvalidArgument(
                f"token {token} does not hold {primitive.kind} {name!r}; held by {held}"
                if held
                else f"{primitive.kind} {name!r} has no holder"
            )
        for key in lost.values():
            self.engine.part(Primitives).take_away(primitive, key)
        return [*lost]

    @exposed(Role.ADMIN)
    def delete(self, call: Call, name: str, kind: str | None = None) -> str:
        """Delete one that has no holder and no waiter; returns its kind. ``kind``: lock, event or barrier, where several have this name."""
        primitive = self._find(call, name, kind)
        uses = {
            "held": len(primitive.held),
            "waiting": primitive.waiting,
        }
        if any(uses.values()):
            remedy = f"`tq locks break {name}` frees it" if primitive.held else "stop who waits first"
            raise InvalidArgument(f"{primitive.kind} {name!r} is in use: {describe_uses(uses)}; {remedy}")
        self.engine.part(Primitives).drop(primitive, "was deleted")
        return primitive.kind

    def _find(self, call: Call, name: str, family: str | None) -> Primitive:
        allow_queue(call, validate_text("name", name))
        if family is not None and family not in FAMILIES:
            raise InvalidArgument(f"kind must be one of {', '.join(FAMILIES)}, not {brief(family)}")
        found = [self.engine.part(Primitives).by_name.get((one, name)) for one in FAMILIES]
        there = [one for one in found if one is not None and one.owner is None]
        fits = [one for one in there if family in (None, one.family)]
        if len(fits) > 1:
            raise InvalidArgument(
                f"{name!r} is {' and '.join(one.kind for one in fits)}; say which: --kind {fits[0].family}"
            )
        if not fits and there:
            raise InvalidArgument(
                f"{name!r} is no {family}; it is: {' and '.join(one.kind for one in there)}"
            )
        if not fits:
            raise InvalidArgument(
                f"there is no lock, event or barrier {brief(name, 80)}; `tq locks` lists them"
            )
        return fits[0]

    def _row(self, primitive: Primitive, addresses: dict[bytes, str]) -> dict[str, Any]:
        return {
            "name": primitive.name,
            "kind": primitive.kind,
            "size": primitive.size,
            "value": primitive.value,
            "token": primitive.counter if primitive.family == LOCK else None,
            "held": len(primitive.held),
            "holders": [
                {
                    "node": claim.node.hex(),
                    "address": addresses.get(claim.node),
                    "lost_in_seconds": self._left(claim.node),
                    "token": claim.fence,
                    "since": None if claim.since is None else self.engine.now.shown(claim.since),
                }
                for claim in islice(primitive.held.values(), HOLDERS_SHOWN_MAX)
            ],
            "waiting": [
                addresses.get(one.call.session.node) for one in islice(primitive.waiters(), HOLDERS_SHOWN_MAX)
            ],
            "waiters": primitive.waiting,
        }

    def _left(self, node: bytes) -> float | None:
        """In how many seconds a disconnected holder loses what it holds."""
        moment = self.engine.presence.lost_at(node)
        return None if moment is None else max(0, moment - self.engine.now.mono) / 1000
