"""The object that every master exposes to workers. ``master/tasks/calls.py`` has the rules of exposed objects."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...common.contract.exposed import exposed
from ...common.domain.id_runs import named
from ...common.domain.model import Role
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import InvalidArgument, ProtocolError
from ..api.validation import EngineObject, allow_queue, validate_flag, validate_list, validate_whole
from ..engine.long_calls import LongCalls
from ..engine.session import Call
from ..items.consumers import Consumer, Consumers
from ..tasks.attempt_output import AttemptOutput
from ..tasks.completion import Completion
from ..tasks.dispatch import Dispatch
from ..tasks.lent_slots import LentSlots
from ..tasks.lookup import check_ids, check_runs
from ..tasks.plan import LEASE_TASKS_MAX
from ..tasks.reports import HELD_MAX, held_rows
from ..tasks.route import Capability, ParkedLease
from ..tasks.routes import Routes, within
from .membership import ENDED_MAX, Membership
from .orders import Orders
from .signatures import describe
from .worker_info import WorkerInfo


class Dispatcher(EngineObject):
    """``get_dispatcher()``: all calls of a worker."""

    @exposed(Role.WORKER)
    def announce(self, call: Call, info: dict[str, Any], held: list[Any]) -> dict[str, Any]:
        engine = self.engine
        announced = WorkerInfo.from_wire(info)
        consumers = Consumer.from_wire(announced.apply)
        for queue in (
            name for consumer in consumers for name in (consumer.queue, consumer.results) if name is not None
        ):
            # Before the worker is announced: consumers of a queue that its key does not cover refuse all of it.
            allow_queue(call, queue)
        dropped = engine.part(Membership).announce(call.session, announced, _check_held(held), engine.now)
        engine.part(Consumers).announce(call.session.node, consumers, call.session.account)
        return {"lease_seconds": engine.limits.lease_ms / 1000, "dropped": named(dropped)}

    @exposed(Role.WORKER)
    def describe(self, call: Call, rows: list[Any]) -> None:
        """The signatures of announced tasks, ``[[task, bytes], …]``."""
        describe(self.engine.part(Membership), call.session, rows)

    @exposed(Role.WORKER)
    def lease(self, call: Call, want: int, pool: int = 0, waits: bool = True) -> object:
        """Lease up to ``want`` tasks, at least one; waits until there is one, or is answered at once, with nothing if there is none.
        ``pool``: which of those that were announced."""
        worker = self.engine.part(Membership).of(call.session)
        leasing = worker.leasing
        if not leasing:
            raise ProtocolError("announce must be a worker's first call on every connection")
        capability = leasing[validate_whole("pool", pool, 0, len(leasing) - 1)]
        # Cut, not refused: a worker of another version may read further ahead.
        want = min(validate_whole("want", want, 1, 2**31), LEASE_TASKS_MAX)
        parked = ParkedLease(call, want, worker.number, validate_flag("waits", waits))
        return self.engine.part(Dispatch).park(parked, capability)

    @exposed(Role.WORKER)
    def lend(self, call: Call, waiter: bytes, runs: list[Any], want: int) -> object:
        """Lease up to ``want`` of what a task waits for inside itself: these tasks, and what they need; waits until one is
        ready, and no other worker has a slot for it. 0: only ask whether there is one. No runs: it waits no longer."""
        worker = self.engine.part(Membership).of(call.session)
        if worker.capability is None:
            raise ProtocolError("announce must be a worker's first call on every connection")
        found = check_runs(validate_list("runs", runs), NEEDED_MAX) if runs else []
        want = validate_whole("want", want, 0, 2**31)
        [waiter] = check_ids([waiter])

        def capability() -> Capability | None:
            # Asked when the call is answered: the worker may have left or announced itself again meanwhile.
            return worker.capability if worker.session is call.session and not worker.has_left else None

        return self.engine.part(LentSlots).park(call, worker.number, waiter, found, want, capability)

    @exposed(Role.WORKER)
    def finish(
        self, call: Call, rows: list[Any], blobs: list[Any] | None = None, slices: list[Any] | None = None
    ) -> list[Any]:
        """Report attempts that have ended; answers the indices of stale rows, and ``[index, start, stop]`` of stale parts of
        slices. ``blobs``: the content that results name, ``[[index of the row, [hash, …]], …]``. ``slices``: runs of tasks
        that succeeded, see ``SliceRow``."""
        engine = self.engine
        # Refuses a session that has not announced itself.
        engine.part(Membership).of(call.session)
        may_see = within(engine.part(Routes), call.session)
        ended, stale = engine.part(Completion).finish(
            validate_list("rows", rows), engine.now, blobs, slices, may_see
        )
        engine.work.glanced(ended)
        engine.part(Membership).ended(call.session, ended, engine.now)
        return stale

    @exposed(Role.WORKER)
    def release(self, call: Call, rows: list[Any], begun: bool = False) -> object:
        """Return attempts that were not started, or (``begun``) that were started and did not end."""
        self.engine.part(Membership).of(call.session)
        engine, held = self.engine, list(held_rows(validate_list("rows", rows)))
        release = partial(engine.part(Completion).release, begun=validate_flag("begun", begun))
        return engine.part(LongCalls).perform(call, held, release, engine.now, most=ENDED_MAX)

    @exposed(Role.WORKER)
    def leave(self, call: Call) -> None:
        """The worker ends: it gets no more leases, and its tasks go to other workers."""
        self.engine.part(Membership).leave(call.session, self.engine.now)
        self.engine.part(Consumers).forget(call.session.node)

    @exposed(Role.WORKER)
    def starting(self, call: Call, ids: list[Any]) -> None:
        """Announce that these suspects are about to start; the worker starts them after the answer."""
        self.engine.part(Membership).starting(call.session, check_ids(ids))

    @exposed(Role.WORKER)
    def beat(self, call: Call, started: list[Any], facts: dict[str, Any] | None = None) -> None:
        """What is running, ``[[id, attempt, lease, seconds], …]``, and ``{"memory_bytes": …}`` of the worker and its
        children, for people to see."""
        self.engine.part(Membership).beat(
            call.session, validate_list("started", started), facts, self.engine.now
        )

    @exposed(Role.WORKER)
    def observe(self, call: Call, rows: list[Any]) -> None:
        """Output and progress of running attempts: ``[[id, attempt, lease, size, text, progress], …]``."""
        self.engine.part(Membership).of(call.session)
        self.engine.part(AttemptOutput).observe(validate_list("rows", rows), self.engine.now)

    @exposed(Role.WORKER)
    def orders(self, call: Call) -> object:
        """Orders for the worker: ``["cancel", id, attempt]``, ``["drain"]``; waits until there is one."""
        return self.engine.part(Orders).ask(call)


def _check_held(held: Any) -> list[Any]:
    if len(validate_list("held", held)) > HELD_MAX:
        raise InvalidArgument(f"announce: {len(held):,} held leases; at most {HELD_MAX:,}")
    return list(held)
