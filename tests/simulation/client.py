"""A client: submits tasks, and waits for their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tq.common.auth.keys import Verifier
from tq.common.contract.tasks import OutcomeSlice, rows_of
from tq.common.domain.id_runs import runs_of, runs_with
from tq.common.domain.model import StateNumber
from tq.common.errors import Full, TaskConflict, TqError
from tq.common.runtime.history import digest

from .arranged import ORDERS
from .crowded import MAXSIZE, QUEUE
from .load import QUEUES, Load, Spec
from .network import Network
from .oracle import Broken, Oracle
from .program import Program
from .world import MS, World

TASKS = ["get_tasks"]


class Client(Program):
    """Submits, cancels, retries, reads, and waits for every outcome."""

    def __init__(
        self,
        world: World,
        network: Network,
        oracle: Oracle,
        load: Load,
        name: str,
        until: int,
        *,
        echoes: bool = False,
        key: Verifier | None = None,
    ) -> None:
        """``echoes``: now and then it submits the same twice at once, as two programs do that use the same keys, and what was
        purged."""
        super().__init__(world, network, name, key)
        self._oracle, self._load, self._until, self._echoes = oracle, load, until, echoes
        self.accepted: dict[bytes, Spec] = {}  # acknowledged to this client
        self.waits_for: dict[bytes, None] = {}
        oracle.clients.append(self)
        self.connect()
        if load.bounded is not None:
            self._call(["get_queues"], "set", [QUEUE, MAXSIZE], ("bound",), repeatable=True)
        for queue, order in ORDERS if load.ordered is not None else ():
            self._call(["get_queues"], "set", [queue, None, *order], ("order",), repeatable=True)
        self.process.later(world.between(MS, 300 * MS), self._do_something)

    def adopt(self, specs: dict[bytes, Spec]) -> None:
        """Take up what a client that died had been promised."""
        self.accepted.update(specs)
        self._watch(list(specs))

    def kill(self) -> None:
        self.process.log("killed")
        self.drop()
        self.process.kill()
        self._oracle.clients.remove(self)

    # what it does

    def _do_something(self) -> None:
        if self.world.now >= self._until:
            return
        self.process.later(self.world.between(MS, 600 * MS), self._do_something)
        if self._echoes and self._submits_what_was_purged():
            return
        roll = self.world.random.random()
        some = self.world.random.sample(list(self.accepted), min(3, len(self.accepted)))
        bounded = self._load.bounded
        if roll < 0.62 or not some:
            ordered = self._load.ordered
            if bounded is not None and bounded.random() < 0.5:
                specs = self._load.crowd()
            elif ordered is not None and ordered.random() < 0.7:
                specs = self._load.in_order()
            else:
                specs = self._load.batch()
            self._load.nest(specs)
            self._submit(specs)
        elif roll < 0.72:
            self._call(TASKS, "cancel", [some], ("cancel", some), repeatable=True)
        elif roll < 0.77:
            self._call(TASKS, "retry", [some], ("retry", some), repeatable=True)
        elif roll < 0.87:
            before = {id: self._oracle.outcomes.get(id) for id in some}
            self._call(TASKS, "states", [some], ("states", before), repeatable=True)
        elif roll < 0.92:
            self._submit_again(self.accepted[some[0]])
        else:
            queue = self.world.random.choice(QUEUES)
            method, args = ("pause", ["a test"]) if self.world.chance(0.4) else ("resume", [])
            self._call(["get_task_queue", queue], method, args, ("queue", method), repeatable=True)

    def _submits_what_was_purged(self) -> bool:
        gone = self._oracle.forgotten
        forgotten = [id for id in self.accepted if id in gone]
        if self._load.is_uneven:  # rather of what is left in part
            forgotten = [id for id in forgotten if any(one.id not in gone for one in self.accepted[id].batch)]
        if not forgotten or not self.world.chance(0.3):
            return False
        self._submit_again(self.accepted[self.world.random.choice(forgotten)])
        return True

    def resume_all(self) -> None:
        for queue in QUEUES:
            self._call(["get_task_queue", queue], "resume", [], ("queue", "resume"), repeatable=True)

    def _submit(self, specs: list[Spec]) -> None:
        first = specs[0]
        ids = [spec.id for spec in specs]
        args = [
            first.task,
            first.options,
            list(runs_with(ids, [spec.payload for spec in specs])),
            self.pending.stream,
        ]
        if first.columns is not None:
            args += [None, None, None, None, first.columns]
        elif first.same is not None or first.on_full != "wait":
            args += [None, None, None, None, None, first.on_full, first.same and first.same.terms]
        self._oracle.submitting(ids)
        if first.same is not None:  # it may never be stored: it is watched when it is
            args[3] = None
            self._call(["get_task_queue", first.queue], "submit", args, ("submit", specs), repeatable=True)
            return
        self.waits_for.update(dict.fromkeys(ids))
        for _ in range(2 if self._echoes and self.world.chance(0.3) else 1):
            self.pending.call(
                ("submit", specs),
                ["get_task_queue", first.queue],
                "submit",
                args,
                repeatable=True,
                runs=list(runs_of(ids)),
                listener=self,
            )
        self._perform_effects()

    def _submit_again(self, spec: Spec) -> None:
        """Tasks that were submitted together, or a part of them, once as they were and once with other arguments of one of them: the
        same tasks, and a conflict."""
        if spec.same is not None or spec.tenant or spec.has_handler or spec.is_together or spec.is_indexed:
            return  # without what else was said of it, it would be another one
        known = [one for one in spec.batch if one.id in self.accepted]
        start = self.world.between(0, len(known) - 1)
        part = known[start : self.world.between(start + 1, len(known))]
        other = self.world.random.choice(part)
        for expected in ("same", "other"):
            payloads = [
                one.payload + b"!" if expected == "other" and one is other else one.payload for one in part
            ]
            rows = list(runs_with([one.id for one in part], payloads))
            args = [spec.task, spec.options, rows, None]
            ticket = "again", expected, {one.id for one in part}
            self._call(["get_task_queue", spec.queue], "submit", args, ticket, repeatable=True)

    def _watch(self, ids: Sequence[bytes]) -> None:
        self.waits_for.update(dict.fromkeys(ids))
        self.pending.watch(self, list(runs_of(ids)))
        self._perform_effects()

    # what it receives

    def _settled(self, ticket: Any, value: Any, error: TqError | None) -> None:
        match ticket:
            case ("again", *_) if self._oracle.is_blind:
                return
            case ("again", "other", ids):
                if error is None and not ids & self._oracle.forgotten:
                    raise Broken("H10", "other content was accepted under an id that is taken")
                return
            case ("again", "same", ids) if isinstance(error, TaskConflict):
                if ids & self._oracle.forgotten:
                    return
                raise Broken("H10", "the same content was refused under an id that is taken")
            case ("submit", specs) if isinstance(error, (Full, TaskConflict)) or isinstance(value, bytes):
                for spec in specs:  # it is not accepted, and was to be so or not
                    self.waits_for.pop(spec.id, None)
                if not isinstance(value, bytes) and specs[0].on_full == "wait" and specs[0].same is None:
                    raise Broken("Q2", f"a submit that waits for room was refused: {error}", specs[0].id)
            case _ if error is not None:
                self.process.log(f"refused: {ticket[0]}: {type(error).__name__}")
                if ticket[0] == "submit":  # the outcome is unknown: ask again with the same ids
                    self.process.later(200 * MS, lambda: self._submit(ticket[1]))
                return
            case ("submit", specs):
                for spec in specs:
                    self._oracle.acknowledged(spec.id)
                    self.accepted[spec.id] = spec
                    if spec.same is not None:
                        self.waits_for[spec.id] = None
                self._watch([spec.id for spec in specs if spec.id in self.waits_for])
            case ("queue", "pause") if self.world.now >= self._until:
                self.resume_all()  # it was asked in time, and repeated after others had resumed all queues
            case ("cancel", _):
                for id, state in value:
                    if state == StateNumber.CANCELLED:
                        self._oracle.note("cancel-confirmed", id=id, who=self.process.name)
            case ("retry", _):
                revived = [id for id, state in value if state == StateNumber.READY]
                if revived:
                    self._watch(revived)
            case ("states", before):
                for id, state in value:
                    self._oracle.read(id, before.get(id), state)

    def _delivered(self, slices: list[OutcomeSlice], error: TqError | None) -> None:
        if error is not None:  # it watches again what it waited for, as a program's next wait does
            self.process.later(
                200 * MS, lambda: self._watch([id for id in self.waits_for if id in self.accepted])
            )
            return
        for id, state, body in rows_of(slices):
            self.waits_for.pop(id, None)
            self._oracle.received(self, id, state, digest(body) if state == StateNumber.SUCCEEDED else "")
