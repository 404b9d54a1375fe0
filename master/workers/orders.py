"""Orders to workers: cancel a task, drain. A worker receives them as answers to its parked ``orders`` call."""

from __future__ import annotations

from typing import Any, Final

from ...common.auth.keys import Verifier
from ...common.domain.model import Role
from ...common.errors import Forbidden, InvalidArgument
from ...common.values.brief import brief
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import LATER, Call
from ..tasks.leases import Leases
from .membership import ORDERS_MIN, Membership, Worker

WORKER: Final = b""  # in place of a task's id, for an order to the worker itself
CANDIDATES_MAX: Final = 8  # listed in the error when several workers match a name


class Orders(Part):
    def __init__(self, membership: Membership, leases: Leases) -> None:
        self._membership, self._running = membership, leases.running
        self._called: dict[Worker, None] = {}  # workers with undelivered orders

    def ask(self, call: Call) -> object:
        worker = self._membership.of(call.session)
        worker.orders_call = call

        def abandon() -> None:
            worker.orders_call = None

        call.abandon = abandon
        if worker.orders:
            self._called[worker] = None
        return LATER

    def order(self, number: int, about: bytes, order: list[Any]) -> None:
        """Queue an order for the next ``orders`` call of a worker. Only the last order for each task is kept, so that a worker that
        never asks has no more orders than tasks."""
        worker = self._membership.by_number.get(number)
        if worker is not None and worker.session is not None:
            worker.orders[about] = order
            self._called[worker] = None
            if len(worker.orders) >= worker.orders_max:
                self._forget_orders(worker)

    def order_cancel(self, id: bytes) -> None:
        held = self._running[id]
        self.order(held.worker, id, ["cancel", id, held.attempt])

    def _forget_orders(self, worker: Worker) -> None:
        """Remove orders for tasks that the worker does not hold any more."""
        mine = {*self._membership.own(worker, list(worker.orders)), WORKER}
        worker.orders = {about: order for about, order in worker.orders.items() if about in mine}
        worker.orders_max = max(ORDERS_MIN, 2 * len(worker.orders))

    def settle(self, now: Now) -> None:
        """Answer the parked ``orders`` calls of workers with orders."""
        for worker in self._called:
            if worker.orders_call is not None and worker.orders:
                call, worker.orders_call = worker.orders_call, None
                call.abandon = None
                call.answer([*worker.orders.values()])
                worker.orders = {}
        self._called.clear()

    def drain(self, name: str, by: Verifier) -> dict[str, Any]:
        """Order one worker to drain, by its host or an unambiguous prefix of its node; returns node and host. ``by``: the key of
        the caller; the worker may serve only queues that this key may use."""
        present = [one for one in self._membership.by_node.values() if one.session is not None]
        fitting = _fitting(present, name)
        match fitting:
            case [worker]:
                if not _serves_within(worker, by):
                    raise Forbidden(
                        f"worker {name} serves queues outside those of this key, {', '.join(by.queues)}; use a key that covers them"
                    )
                self.order(worker.number, WORKER, ["drain"])
                worker.draining = True
                return {"node": worker.node.hex(), "host": worker.info.host if worker.info else ""}
            case [] if _fitting(list(self._membership.by_node.values()), name):
                raise InvalidArgument(f"worker {name} is not connected; there is nothing to drain")
            case []:
                raise InvalidArgument(f"no worker matches {brief(name, 80)}; `tq workers` lists them")
            case _:
                named = ", ".join(
                    f"{one.node.hex()[:8]} on {one.info.host}" for one in fitting[:CANDIDATES_MAX] if one.info
                )
                raise InvalidArgument(
                    f"{len(fitting)} workers match {brief(name, 80)}: {named}; give the node of one"
                )


def _serves_within(worker: Worker, key: Verifier) -> bool:
    if worker.capability is None:
        return key.covers(Role.WORKER, [])
    bounds = worker.capability.key
    return key.covers(Role.WORKER, bounds.allowed) or key.covers(Role.WORKER, bounds.queues)


def _fitting(workers: list[Worker], name: str) -> list[Worker]:
    """The workers on a host of this name, or else those whose node begins with it."""
    on_host = [one for one in workers if one.info is not None and one.info.host == name]
    return on_host or [one for one in workers if name and one.node.hex().startswith(name)]
