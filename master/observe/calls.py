"""The objects that show a master, its queues and its workers. ``master/tasks/calls.py`` has the rules of exposed objects.

``get_master()``, ``get_queues()``, ``get_workers()``. A queue that belongs to one program is private to it and is not shown.
"""

from __future__ import annotations

from typing import Any

from ...common.contract.exposed import exposed
from ...common.domain.durations import DELAY_SECONDS_MAX, check_number
from ...common.domain.model import Role, check_name
from ...common.domain.series import RESOLUTIONS, resolution_for
from ...common.errors import Forbidden, InvalidArgument
from ...common.values.brief import brief
from ..api.validation import (
    NUMBER_MAX,
    EngineObject,
    allow_queue,
    describe_uses,
    validate_text,
    validate_whole,
)
from ..engine.engine import Engine
from ..engine.session import Call, Session
from ..items.deliveries import Deliveries
from ..items.items import Items
from ..keys.revoked_leaves import RevokedLeaves
from ..tasks.full_queues import MAXSIZE_MAX, FullQueues
from ..tasks.leases import Leases
from ..tasks.queue_order import QueueOrder
from ..tasks.routes import Routes
from ..workers.membership import Membership
from ..workers.orders import Orders
from ..workers.signatures import signatures_of
from .attempts import attempts
from .causes import CAUSES_MAX, Causes
from .masters import moment_of, with_revoked
from .overview import queue_rows, running_rows, serving, snapshot, worker_rows

SERIES_MAX = 1_000  # points in one answer
SPAN_SECONDS_MAX = 30 * 86_400.0  # of attempts

Rows = list[list[Any]]  # an alias, because the objects have a method called list


class Master(EngineObject):
    """``get_master()``"""

    @exposed(Role.VIEWER)
    def info(self, call: Call) -> dict[str, Any]:
        engine = self.engine
        return {
            **engine.facts,
            "wall": engine.now.wall / 1000,
            "damage": engine.store.damage,
            "tasks": _tasks_of(engine, call.session),
            "sessions": len(engine.sessions.connections),
            "trouble": engine.trouble.summary(engine.now),
            "you": {
                "key": call.session.verifier.key_id,
                "role": str(call.session.verifier.role),
                "queues": list(call.session.verifier.queues),
                "tenant": call.session.verifier.tenant,
            },
            **engine.shell_facts(),
        }

    @exposed(Role.VIEWER)
    def snapshot(self, call: Call) -> dict[str, Any]:
        """The data of `tq top`: queues, workers, the longest running tasks, the latest failures, and the master itself."""
        return snapshot(self.engine, call.session.verifier)

    @exposed(Role.VIEWER)
    def series(self, call: Call, seconds: float, after: int = 0) -> dict[str, Any]:
        """What was measured in so many seconds up to now, in the finest steps that reach so far back: ``step`` (seconds), ``from`` and
        ``now`` (Unix seconds), ``rows`` ``[[slot, at, point], …]`` behind the slot ``after``, and whether there are ``more``."""
        if call.session.verifier.queues:
            raise Forbidden(
                "the master's series are of all queues, and this key may use some; ask for a key of all queues"
            )
        check_number("seconds", seconds, 1, RESOLUTIONS[-1].seconds)
        now, resolution = self.engine.now, resolution_for(seconds)
        first = (now.steady - int(seconds * 1000)) // resolution.step_ms
        after = max(first - 1, validate_whole("after", after, 0, NUMBER_MAX))
        self.engine.work.glanced(SERIES_MAX)
        rows = self.engine.store.series.rows(resolution.step_ms, after, SERIES_MAX)
        return {
            "step": resolution.step_ms / 1000,
            "from": now.shown(first * resolution.step_ms),
            "now": now.wall / 1000,
            "rows": [[slot, now.shown(slot * resolution.step_ms), body] for slot, body in rows],
            "more": len(rows) == SERIES_MAX,
        }

    @exposed(Role.VIEWER)
    def causes(self, call: Call, limit: int = CAUSES_MAX) -> list[list[Any]]:
        """Why tasks have failed, in rows, those of late first: see ``CauseRow``. A key that is bound to queues sees those of its own."""
        self.engine.work.glanced(CAUSES_MAX)
        found = self.engine.part(Causes).rows(
            call.session.allows_queue, validate_whole("limit", limit, 1, CAUSES_MAX)
        )
        return [list(row) for row in found]

    @exposed(Role.VIEWER)
    def masters(self, call: Call) -> list[list[Any]]:
        """Every master of the cluster, in rows: see ``MasterRow``."""
        revoked = self.engine.part(RevokedLeaves).listing()
        return [
            row.to_wire() for row in with_revoked(self.engine.masters(), revoked, self.engine.now.wall / 1000)
        ]

    @exposed(Role.ADMIN)
    def revoke(self, call: Call, name: str) -> None:
        """Refuse the certificate of its own that a master of this name has, for good: all that were made until now. All who are connected
        connect again and learn it. It needs a key of all queues."""
        if call.session.verifier.queues:
            raise Forbidden(
                "masters are the whole cluster's, and this key may use some queues; ask for a key of all queues"
            )
        engine = self.engine
        name, now = validate_text("name", name), engine.now.wall / 1000
        moment = moment_of(engine.masters(), name, now)
        engine.part(RevokedLeaves).revoke(name, moment, list(engine.sessions), call.session, engine.now)


class Workers(EngineObject):
    """``get_workers()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> list[dict[str, Any]]:
        return worker_rows(self.engine, call.session.verifier)

    @exposed(Role.VIEWER)
    def serving(self, call: Call, queue: str, task: str) -> tuple[int, int]:
        """How many connected workers serve this callable in this queue, and how many are connected."""
        allow_queue(call, validate_text("queue", queue))
        self.engine.work.glanced(len(self.engine.part(Membership).by_node))
        return self.engine.part(Membership).serving(
            validate_text("queue", queue), validate_text("task", task)
        )

    @exposed(Role.VIEWER)
    def signatures(self, call: Call, names: Rows) -> Rows:
        """For each of these tasks ``[[signature, how many connected workers say so], …]``, at most twenty names."""
        workers, serves = self.engine.part(Membership).listed(), serving(self.engine, call.session.verifier)
        found = signatures_of(workers, names, serves, self.engine.work.glanced)
        return [[list(one) for one in known] for known in found]

    @exposed(Role.VIEWER)
    def running(self, call: Call, node: str) -> Rows:
        """The tasks that a worker (by its full node) holds, the longest running first, at most fifty."""
        self.engine.work.glanced(len(self.engine.part(Leases).running))
        return running_rows(self.engine, validate_text("node", node), call.session.allows_queue)

    @exposed(Role.VIEWER)
    def attempts(
        self, call: Call, seconds: float, until: float | None = None, node: str = ""
    ) -> dict[str, Any]:
        """Which worker ran what in so many seconds up to ``until``, Unix seconds; None: up to now, with what runs. ``node``: one worker's
        alone. ``rows`` (RanRow), newest first; if there were too many, not ``is_whole``, and they are a sample of the span."""
        check_number("seconds", seconds, 0.001, SPAN_SECONDS_MAX)
        now = self.engine.now
        last = now.steady + 1
        if until is not None:
            check_number("until", until, 0, now.wall / 1000 + SPAN_SECONDS_MAX)
            last = min(last, int(until * 1000) - now.shift)
        key = call.session.verifier
        return attempts(self.engine, key, last - int(seconds * 1000), last, validate_text("node", node))

    @exposed(Role.ADMIN)
    def drain(self, call: Call, node: str) -> dict[str, Any]:
        """Order a worker to finish its running tasks, return the others and end; ``node``: its host, or a prefix of its node."""
        ordered = self.engine.part(Orders).drain(validate_text("node", node), call.session.verifier)
        call.concerns(f"{ordered['host']} ({ordered['node']})")
        return ordered


class Queues(EngineObject):
    """``get_queues()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> list[dict[str, Any]]:
        return queue_rows(self.engine, call.session.allows_queue)

    @exposed(Role.ADMIN)
    def delete(self, call: Call, name: str, items: bool = False) -> int:
        """Delete an item queue that is not in use; returns how many items were deleted, which needs ``items``."""
        allow_queue(call, validate_text("name", name))
        queue = self.engine.part(Items).by_name.get(name)
        # A private queue ends with its program: for others it is not there.
        if queue is None or queue.owner is not None:
            raise InvalidArgument(f"there is no item queue {brief(name, 80)}; `tq queues` lists them")
        uses = {
            "taken and not confirmed": self.engine.part(Deliveries).taken(queue),
            "waiting to get one": len(queue.getters),
            "waiting for room": len(queue.putters),
            "waiting in join": len(queue.joiners),
        }
        if any(uses.values()):
            raise InvalidArgument(
                f"item queue {name!r} is in use: {describe_uses(uses)}; stop the programs that use it first"
            )
        if queue.waiting and not items:
            raise InvalidArgument(
                f"item queue {name!r} is not empty ({queue.waiting:,} in it); get them, or delete them with it: "
                f"tq queues delete {name} --items"
            )
        # Before it is dropped, which counts them down.
        waiting = queue.waiting
        self.engine.part(Items).drop(queue, "was deleted")
        return waiting

    @exposed(Role.ADMIN)
    def set(
        self,
        call: Call,
        name: str,
        maxsize: int | None = None,
        order: str | None = None,
        aging: float | None = None,
    ) -> None:
        """Set how many tasks may wait in a queue, 0: any number; submits beyond it wait, or are refused. Set in which order its tasks
        start: ``fifo`` or ``lifo``, and how many seconds of waiting count as one step of priority, 0: none."""
        allow_queue(call, check_name("queue", validate_text("name", name)))
        if maxsize is not None:
            maxsize = validate_whole("maxsize", maxsize, 0, MAXSIZE_MAX)
        if order is not None:
            validate_text("order", order)
        if aging is not None:
            check_number("aging", aging, 0, DELAY_SECONDS_MAX)
        # All is validated above: a wrong value must leave nothing half set.
        if order is not None or aging is not None:
            self.engine.part(QueueOrder).set(name, order, aging, self.engine.now)
        if maxsize is not None:
            self.engine.part(FullQueues).bound(name, maxsize)


def _tasks_of(engine: Engine, session: Session) -> int:
    """How many tasks there are in the queues that the session's key may use."""
    routes = engine.part(Routes)
    engine.work.glanced(len(routes.queues))
    return sum(sum(queue.counts) for name, queue in routes.queues.items() if session.allows_queue(name))
