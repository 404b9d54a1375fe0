"""The object for outboxes that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``receipts.py`` the
behaviour.

``get_outbox()``. A row says its queue and its task itself, and who may insert one says it: what it may do is what the relay's key may.
"""

from __future__ import annotations

from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.outbox import RECEIPTS_TOGETHER, OutboxSubmit, submit_from_wire
from ...common.domain.model import Role
from ...common.domain.on_full import RAISE
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import EngineObject, allow_queue, validate_list, validate_text
from ..engine.session import Call
from ..tasks.calls import TaskQueue
from ..tasks.routes import Routes
from .receipts import Receipts

RECEIPT_BYTES: Final = 16


class OutboxObject(EngineObject):
    """``get_outbox()``"""

    @exposed(Role.CLIENT)
    def hand_over(self, call: Call, receipt: bytes, row: list[Any]) -> object:
        """Accept the submit of a row, unless one with this id was accepted before; answers what ``submit`` answers, or 0. It never waits
        for room: the relay has other rows."""
        _check_receipt(receipt)
        said: OutboxSubmit = submit_from_wire(row)
        queue = TaskQueue(self.engine, validate_text("queue", said.queue))

        def submit() -> object:
            allow_queue(call, said.queue)
            self._check_fits(said)
            return queue.submit(
                call,
                said.task,
                said.options,
                said.tasks,
                proofs=said.proofs,
                columns=said.columns,
                on_full=RAISE,
                unique=said.unique,
            )

        return self.engine.part(Receipts).hand_over(call, receipt, submit)

    def _check_fits(self, said: OutboxSubmit) -> None:
        """A row is accepted as a whole: one of more tasks than its queue ever has room for would be tried without end."""
        queue = self.engine.part(Routes).queues.get(said.queue)
        most = 0 if queue is None else queue.maxsize
        tasks = sum(_tasks_of(one) for one in said.tasks) if isinstance(said.tasks, list) else 0
        if most and tasks > most:
            raise InvalidArgument(
                f"the row has {tasks:,} tasks, and at most {most:,} may wait in queue {said.queue}; raise the bound (tq queues set "
                f"{said.queue} --maxsize N) and hand it over again, or submit fewer in one map"
            )

    @exposed(Role.CLIENT)
    def forget(self, call: Call, receipts: list[Any]) -> None:
        """Forget these rows, which no relay can hand over again."""
        if len(validate_list("receipts", receipts)) > RECEIPTS_TOGETHER:
            raise InvalidArgument(f"at most {RECEIPTS_TOGETHER:,} receipts at a time")
        for receipt in receipts:
            _check_receipt(receipt)
        self.engine.part(Receipts).forget(receipts, self.engine.now)


def _tasks_of(task: Any) -> int:
    return len(task[1]) if isinstance(task, list) and len(task) > 1 and isinstance(task[1], list) else 1


def _check_receipt(receipt: Any) -> None:
    if type(receipt) is not bytes or len(receipt) != RECEIPT_BYTES:
        raise InvalidArgument(
            f"a receipt is the id of a row, {RECEIPT_BYTES} bytes, not {brief(receipt, 80)}"
        )
