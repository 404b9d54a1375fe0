"""A program of tasks that need others, of flows, and of signals: a client that also composes what it submits.

Its chance is its own, so that a seed without it is the same story as before there was one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tq.client.tasks.needs import rows_with_needs
from tq.common.auth.keys import Verifier
from tq.common.domain.flow import CALLBACKS, ON_ERROR
from tq.common.domain.id_runs import runs_of, runs_with
from tq.common.domain.on_error import CATCH, COLLECT, FAIL, required
from tq.common.errors import InvalidArgument, StoreError, TqError, Unreachable
from tq.common.values.codec import encode

from .attempts import SIGNAL
from .client import TASKS, Client
from .instants import Wrong
from .load import QUEUES, Load, Spec
from .network import Network
from .oracle import Broken, Oracle
from .world import MS, SECOND, World

FLOWS, STEPS = ["get_flows"], ["get_steps"]
ACTS_EVERY = 1 * SECOND  # at most
DEPTH_MAX = 4  # of needs behind one another
RECENT = 60  # tasks that are needed, retried, sent signals
LARGE_BYTES = 30_000  # of a result: three do not travel with a lease
STORIES = (  # of steps
    (("call", 5), ("call", 40), ("fail", 1), ("call", 5)),
    (("call", 5), ("sleep", 0.7), ("call", 5)),
    (("call", 20), ("wait", 6.0), ("call", 5), ("fail", 3), ("call", 300)),
    (("wait", 8.0), ("wait", 2.0)),
    (("call", 300), ("die", 1), ("call", 400), ("sleep", 1.5), ("die", 2), ("call", 5)),
    (("call", 2_000), ("call", 2_000)),  # ``LONG_MS``: another attempt begins while a stale one goes on
)


@dataclass(slots=True)
class Flow:
    id: bytes
    key: bytes | None
    run: int = 1
    is_open: bool = True


class Composer(Client):
    """``key``: narrow, it does not cover all queues; then it tries to. ``died``: its life is over, and another takes up what it
    was promised."""

    def __init__(
        self,
        world: World,
        network: Network,
        oracle: Oracle,
        load: Load,
        name: str,
        until: int,
        random: Random,
        died: Callable[[Composer], None],
        key: Verifier | None = None,
    ) -> None:
        self._random, self._died, self._key = random, died, key
        self.flows: dict[bytes, Flow] = {}
        self.waits_for_flows: dict[bytes, None] = {}
        super().__init__(world, network, oracle, load, name, until, key=key)

    def take_over(self, other: Composer) -> None:
        """Of a key's flow it goes on to fill it; others are cancelled when their program is lost."""
        self.adopt(other.accepted)
        for flow in other.flows.values():
            if flow.is_open and flow.key is not None:
                self._open(flow.key)
            else:
                self.flows[flow.id] = Flow(flow.id, flow.key, flow.run, is_open=False)
                self._wait(flow.id)

    # what it does

    def _do_something(self) -> None:
        if self.world.now >= self._until:
            for flow in self.flows.values():
                self._seal(flow)
            return
        self.process.later(self._random.randint(MS, ACTS_EVERY), self._do_something)
        roll = self._random.random()
        some = list(self.accepted.values())[-RECENT:]
        if roll < 0.28 or not some:
            self._submit(self._roots())
        elif roll < 0.58:
            self._submit(self._dependents(some))
        elif roll < 0.63:
            ids = [self._random.choice(some).id for _ in range(3)]
            self._call(TASKS, "cancel", [ids], ("cancel", ids), repeatable=True)
        elif roll < 0.70:
            ids = [one.id for one in self._random.choice(some).batch] + [self._random.choice(some).id]
            self._call(TASKS, "retry", [ids], ("retry", ids), repeatable=True)
        elif roll < 0.78:
            self._signal(some)
        elif roll < 0.80:
            self.kill()
            self._died(self)
        elif roll < 0.84 and self._key is not None:
            self._overreach(some)
        else:
            self._do_something_with_a_flow()

    def _do_something_with_a_flow(self) -> None:
        open_ones = [flow for flow in self.flows.values() if flow.is_open]
        if not open_ones:
            self._open(self._random.choice((None, None, b"nightly", b"hourly")))
            return
        flow, roll = self._random.choice(open_ones), self._random.random()
        any_one = self._random.choice(list(self.flows.values()))
        if roll < 0.4:
            kind, token = self._random.choice(CALLBACKS), self._random.randbytes(16)
            args = [any_one.id, token, kind, "default", "jobs:short", {}]
            self._call(FLOWS, "call_back", args, ("call_back", any_one.id), repeatable=True)
        elif roll < 0.65:
            self._seal(flow)
        elif roll < 0.75:
            self._call(FLOWS, "cancel", [any_one.id, "a test"], ("cancel_flow", any_one.id), repeatable=True)
        elif roll < 0.9:
            self._call(FLOWS, "retry", [any_one.id, any_one.run], ("retry_flow", any_one.id), repeatable=True)
        else:
            self._open(None)

    def _open(self, key: bytes | None, args: list[Any] | None = None) -> None:
        args = args or [self._load.new_id(), "a flow", self._random.choice(ON_ERROR), key]
        self.pending.call(("open", key, args), FLOWS, "open", args, repeatable=True)
        self._perform_effects()

    def _seal(self, flow: Flow) -> None:
        if flow.is_open:
            flow.is_open = False
            self._call(FLOWS, "seal", [flow.id], ("seal", flow), repeatable=True)
            self._wait(flow.id)

    def _wait(self, id: bytes) -> None:
        self.waits_for_flows[id] = None
        self._call(FLOWS, "wait", [id], ("wait", id), repeatable=True)

    def _signal(self, some: list[Spec]) -> None:
        waiting = [spec for spec in some if any(kind == "wait" for kind, _ in spec.steps)]
        if waiting:
            spec, token = self._random.choice(waiting), self._random.randbytes(16)
            args = [spec.id, SIGNAL, encode(token.hex()), token]
            self._call(STEPS, "signal", args, ("signal", spec.id, token), repeatable=True)

    # what it submits

    def _roots(self) -> list[Spec]:
        specs = self._load.batch()
        for spec in specs:  # it says no limits, tenants and handlers
            spec.columns, spec.tenant, spec.has_handler, spec.is_together = None, "", False, False
            spec.to, spec.is_indexed = "", False
        first = specs[0]
        if self._key is not None:
            for spec in specs:
                spec.queue = "default"
        if first.character in ("plain", "fails") and self._random.random() < 0.4:
            self._have_steps(specs)
        elif self._random.random() < 0.15:
            for spec in specs:
                spec.result_bytes = LARGE_BYTES
        self._into_a_flow(specs)
        return specs

    def _have_steps(self, specs: list[Spec]) -> None:
        options, steps = specs[0].options, self._random.choice(STORIES)
        if any(kind in ("sleep", "wait") for kind, _ in steps):
            options.pop("delivery", None)  # such a task is started again
        if "delivery" not in options:
            options |= {"retries": 4, "backoff": 0.2}
        for spec in specs[:4]:
            spec.character, spec.steps = "plain", steps
        for spec in specs[4:]:
            spec.character = "plain"

    def _into_a_flow(self, specs: list[Spec]) -> None:
        open_ones = [flow.id for flow in self.flows.values() if flow.is_open]
        if open_ones and self._random.random() < 0.6:
            chosen = self._random.choice(open_ones)
            for spec in specs:
                spec.flow = chosen

    def _dependents(self, some: list[Spec]) -> list[Spec]:
        """Some that need a few tasks, a whole array, or an element of it each."""
        some = [spec for spec in some if spec.depth < DEPTH_MAX] or [self._random.choice(some)]
        one, roll = self._random.choice(some), self._random.random()
        array = [spec.id for spec in one.batch if spec.id in self.accepted]
        template = self._roots()[0]
        if roll < 0.35:
            specs = self._load.like(template, len(array))
            for spec, need in zip(specs, array, strict=True):
                spec.needs = (need,)
            self._with_policy(specs, 1)
        else:
            needs = array
            if roll > 0.7:
                chosen = self._random.sample(some, min(len(some), self._random.randint(1, 3)))
                needs = list(dict.fromkeys(spec.id for spec in chosen))
            specs = self._load.like(template, self._random.randint(1, 3))
            for spec in specs:
                spec.needs = tuple(needs)
            self._with_policy(specs, len(needs))
        depth = 1 + max(self._load.specs[id].depth for spec in specs for id in spec.needs)
        for spec in specs:
            spec.depth, spec.steps, spec.flow = depth, template.steps, template.flow
        return specs

    def _with_policy(self, specs: list[Spec], needed: int) -> None:
        policy = self._random.choice((FAIL, FAIL, COLLECT, CATCH, self._random.randint(0, needed)))
        options = dict(specs[0].options)
        if policy != FAIL:
            options["on_error"] = policy
        for spec in specs:
            spec.options, spec.minimum = options, required(policy, needed)

    def _overreach(self, some: list[Spec]) -> None:
        """Need a task in a queue that the key does not cover."""
        others = [id for id, spec in self._load.specs.items() if spec.queue == QUEUES[1]][-RECENT:]
        if not others:
            return
        needs = [self._random.choice(others)]
        if self._random.random() < 0.5:
            needs.append(self._random.choice(some).id)
        specs = self._load.like(self._random.choice(some), 1)
        specs[0].needs, specs[0].minimum = tuple(needs), len(needs)
        specs[0].options = {}
        self._oracle.submitting([specs[0].id])
        args = ["jobs:short", {}, _rows(specs), None]
        self._call(["get_task_queue", QUEUES[0]], "submit", args, ("overreach", specs), repeatable=True)

    def _submit(self, specs: list[Spec]) -> None:
        first = specs[0]
        ids = [spec.id for spec in specs]
        args = [first.task, first.options, _rows(specs), self.pending.stream, None, None, first.flow]
        self._oracle.submitting(ids)
        self.waits_for.update(dict.fromkeys(ids))
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

    # what it receives

    def _settled(self, ticket: Any, value: Any, error: TqError | None) -> None:
        match ticket:
            case ("submit", specs) if isinstance(error, InvalidArgument):
                self.process.log(f"refused: submit: {error}")
                ids = [spec.id for spec in specs]
                for id in ids:
                    self.waits_for.pop(id, None)
                if not any(id in self._oracle.forgotten for id in ids):
                    self._judge(self._oracle.composition.refused, ids)
            case ("overreach", specs):
                if error is None:
                    raise Broken(
                        "D4", "a task waits for one in a queue that its key does not cover", specs[0].id
                    )
            case ("open", key, args) if isinstance(error, (StoreError, Unreachable)):
                self.process.later(200 * MS, lambda: self._open(key, args))
            case ("open", key, _):
                if error is None:
                    self._opened(bytes.fromhex(value["id"].replace("-", "")), key, value)
            case ("wait", id):
                if isinstance(error, (StoreError, Unreachable)):
                    self.process.later(200 * MS, lambda: self._wait(id))
                    return
                self.waits_for_flows.pop(id, None)
                if error is None:
                    self._judge(self._oracle.composition.answered, id)
            case ("cancel_flow" | "retry_flow", id) if error is None:
                self.flows[id].run = value["run"]
                if ticket[0] == "cancel_flow":
                    self.flows[id].is_open = False
                self._wait(id)
            case ("signal", id, token) if error is None:
                self._judge(self._oracle.steps.acknowledged, id, token, self._oracle.forgotten)
            case ("seal", flow) if isinstance(error, (StoreError, Unreachable)):
                flow.is_open = True
                self.process.later(200 * MS, lambda: self._seal(flow))
            case ("seal" | "call_back" | "signal", *_):
                if error is not None:
                    self.process.log(f"refused: {ticket[0]}: {error}")
            case ("retry", ids) if error is None:
                self._watch([id for id, state in value if state < 10 and id in self.accepted])
            case _:
                super()._settled(ticket, value, error)

    def _opened(self, id: bytes, key: bytes | None, shown: dict[str, Any]) -> None:
        has_ended = shown["finished"] is not None
        flow = self.flows[id] = Flow(id, key, shown["run"], is_open=shown["state"] == "open")
        if self.world.now >= self._until:
            self._seal(flow)
        elif has_ended or not flow.is_open:
            self._wait(id)

    def _judge(self, judge: Callable[..., None], *facts: Any) -> None:
        if self._oracle.is_blind:
            return
        try:
            judge(*facts)
        except Wrong as wrong:
            raise Broken(wrong.rule, str(wrong), wrong.id) from wrong


def _rows(specs: list[Spec]) -> list[Any]:
    ids, payloads = [spec.id for spec in specs], [spec.payload for spec in specs]
    if not specs[0].needs:
        return list(runs_with(ids, payloads))
    return rows_with_needs(ids[0], payloads, {spec.id: list(runs_of(spec.needs)) for spec in specs})
