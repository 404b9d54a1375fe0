"""An attempt that asks the master while it runs: for the results that it is given, for its steps, and for tasks that it submits itself.

The steps are the shipped generators of ``worker/child/steps.py``; what they wait for comes as events. The results are read as
``common/values/needed.py`` reads them.

Kinds of steps: ``call`` (how long it takes, ms), ``sleep`` (seconds), ``wait`` (for a signal, seconds at most); and no steps of the
master: ``fail`` and ``die``, in the first so many attempts; ``work`` (ms); ``spawn`` (submit this one of ``Spec.made``), ``await`` (the ends
of all that were submitted, in so many threads), ``become`` (return the handle of this one of ``Spec.others``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import msgpack
from tq.common.domain.directives import Suspended
from tq.common.domain.id_runs import IdRun, runs_with
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import LeaseLost, StepChanged, StoreError, TqError, Unreachable
from tq.common.values.needed import CARRIED_CODE, Carried
from tq.worker.agent.jobs import Job
from tq.worker.child.steps import STEPS, AttemptSteps, Token

from .instants import Wrong
from .load import Spec
from .world import MS, SECOND

if TYPE_CHECKING:
    from .caller import Then
    from .children import Child
    from .oracle import Oracle

DEPENDENCIES, TASKS = ["get_dependencies"], ["get_tasks"]
PAUSE = 200 * MS  # before a call is made again
SIGNAL = "approved"

Given = dict[bytes, tuple[int, bytes | None]]  # by id: the state of a needed task, and its result


class Work:
    """What a step's function does: it takes so long, and returns this."""

    def __init__(self, duration: int, value: str) -> None:
        self.duration, self.value = duration, value

    def __await__(self) -> Iterator[Any]:
        raise AssertionError("an event ends it")


class EventSteps(AttemptSteps):
    """Asks by yielding what it asks for. ``clock``: seconds."""

    def __init__(self, token: Token, clock: Callable[[], float]) -> None:
        super().__init__(None, token)  # type: ignore[arg-type]
        self._clock = clock

    def _start(self, method: str, args: tuple[Any, ...]) -> Any:
        return method, args

    def step(
        self, kind: str, name: str, value: float, function: Callable[[], Any]
    ) -> Generator[Any, Any, Any]:
        number = self._next()
        if kind == "call":
            return self._call(number, name, function, (), {})
        if kind == "sleep":
            return self._suspend(number, value)
        return self._wait(number, SIGNAL, value, None)


class AskingAttempt:
    def __init__(
        self,
        child: Child,
        oracle: Oracle,
        job: Job,
        spec: Spec,
        relay: Callable[[Child, list[str], str, tuple[Any, ...], Then], None],
    ) -> None:
        self._child, self._oracle, self._job, self._spec, self._relay = child, oracle, job, spec, relay
        self._token = job.id, job.attempt, job.lease
        self._steps = EventSteps(self._token, lambda: child.world.now / SECOND)
        self._given: Given = {}
        self._at = 0  # the step
        self._number = 0  # of it, as the master counts
        self._is_over = False
        self._submitted: list[bytes] = []  # by this attempt
        self._waits: dict[int, list[bytes]] = {}  # for the ends of these

    def begin(self) -> None:
        carried = msgpack.unpackb(self._job.payload, ext_hook=_opened) if self._spec.needs else None
        if self._spec.needs and not isinstance(carried, Carried):
            self._oracle.object("D3", "it was given nothing of what it needs", self._job.id)
        if isinstance(carried, Carried):
            self._take(carried.rows)
        self._fetch()

    def cancel(self) -> None:
        self._is_over = True
        if self._waits and self._child.world.chance(
            0.7
        ):  # else its process learns of it when its end is reported
            self._wake(list(self._waits))

    # what it needs

    def _take(self, rows: list[Any]) -> None:
        for first, state, bodies in rows:
            ids = IdRun(first, len(bodies)).ids()
            self._given.update(zip(ids, ((state, body) for body in bodies), strict=True))

    def _fetch(self) -> None:
        missing = next((id for id in self._spec.needs if id not in self._given), None)
        if missing is None:
            self._oracle.given(self._spec, self._given)
            self._next_step()
            return

        def fetched(rows: list[Any]) -> None:
            self._take(rows)
            if missing not in self._given:
                self._oracle.object("D3", "a result that it needs was not sent", self._job.id)
            self._fetch()

        self._ask(DEPENDENCIES, "results", (missing,), fetched, self._fails)

    # its steps

    def _next_step(self) -> None:
        if self._is_over:
            return
        if self._at == len(self._spec.steps):
            plan = self._spec.attempt(self._job.attempt)
            self._child.later(plan.duration, lambda: self._ends(plan.outcome, plan.dies, plan.after))
            return
        kind, value = self._spec.steps[self._at]
        self._at += 1
        if kind in ("fail", "die"):
            if self._job.number > value:
                self._next_step()
            else:
                self._ends(OutcomeNumber.ERROR, -9 if kind == "die" else 0)
            return
        if kind in ("work", "spawn", "await", "become"):
            self._do(kind, int(value))
            return
        self._number += 1
        number = self._number
        step = self._steps.step(kind, f"step {number}", value, lambda: self._work(number, int(value)))
        self._drive(kind, step, None, None)

    def _work(self, number: int, duration: int) -> Work:
        self._judged_by(self._oracle.steps.called, number, self._job.attempt)
        return Work(duration * MS, f"{number} by attempt {self._job.attempt}")

    def _drive(self, kind: str, step: Generator[Any, Any, Any], answer: Any, error: TqError | None) -> None:
        if self._is_over:
            return
        try:
            wanted = step.send(answer) if error is None else step.throw(error)
        except StopIteration as end:
            self._done(kind, end.value)
        except TimeoutError:
            self._done(kind, None)
        except Suspended as suspended:
            self._ends(OutcomeNumber.SNOOZE, after=suspended.seconds)
        except StepChanged as changed:
            self._oracle.object("T5", str(changed), self._job.id)
        except (LeaseLost, TqError):
            self._fails()
        else:
            if isinstance(wanted, Work):
                self._child.later(wanted.duration, lambda: self._drive(kind, step, wanted.value, None))
                return
            method, args = wanted
            self._ask(
                STEPS,
                method,
                args,
                lambda value: self._drive(kind, step, value, None),
                lambda error: self._drive(kind, step, None, error),
            )

    def _done(self, kind: str, value: Any) -> None:
        if kind == "call":
            self._judged_by(self._oracle.steps.returned, self._number, value)
        elif kind == "wait":
            self._judged_by(self._oracle.steps.waited, self._number, None if value is None else value.value)
        self._next_step()

    def _judged_by(self, judge: Callable[..., None], *facts: Any) -> None:
        try:
            judge(self._job.id, *facts)
        except Wrong as wrong:
            self._oracle.object(wrong.rule, str(wrong), wrong.id)

    # what it submits itself, and waits for

    def _do(self, kind: str, value: int) -> None:
        if kind == "work":
            self._child.later(value * MS, self._next_step)
        elif kind == "spawn":
            self._spawn(self._spec.made[value])
        elif kind == "await":
            self._await(value)
        else:
            self._becomes(self._spec.others[value])

    def _spawn(self, made: Spec) -> None:
        """The same task in each attempt, as a key makes it."""

        def accepted(_: Any) -> None:
            self._oracle.acknowledged(made.id)
            self._submitted.append(made.id)
            self._next_step()

        self._oracle.submitting([made.id])
        parent = [self._job.id, self._job.lease]
        rows = list(runs_with([made.id], [made.payload]))
        args = (made.task, made.options, rows, None, None, None, None, parent, made.columns)
        self._call(["get_task_queue", made.queue], "submit", args, accepted, self._fails)

    def _await(self, threads: int) -> None:
        """Each of two threads waits for a part of them, a third one for all; while one does, its slot is lent."""
        parts = [self._submitted[place::2] for place in range(2)]
        if threads != len(parts):
            parts = [*parts[: threads - 1], self._submitted]
        for part in filter(None, parts):
            self._waits[self._child.worker.waits.begin(self._child, self._job, part)] = part
        if self._waits:
            self._ask_states()
        else:
            self._next_step()

    def _ask_states(self) -> None:
        """As far as lending is concerned, it is all the same how it learns of their ends."""
        ids = list(dict.fromkeys(id for part in self._waits.values() for id in part))

        def answered(states: list[Any]) -> None:
            ended = {id for id, state in states if state < 0 or StateNumber(state).is_terminal}
            self._wake([wait for wait, part in self._waits.items() if ended.issuperset(part)])
            if self._waits:
                self._child.later(PAUSE // 2, self._ask_states)
            else:
                self._next_step()

        self._call(TASKS, "states", (ids,), answered, self._fails)

    def _wake(self, waits: list[int]) -> None:
        for wait in waits:
            del self._waits[wait]
            self._child.worker.waits.end(self._child, wait)

    def refused(self, wait: int) -> None:
        """WouldDeadlock is raised where it waits, and is not retried."""
        if wait in self._waits and not self._is_over:
            del self._waits[wait]
            self._wake(list(self._waits))
            self._ends(OutcomeNumber.DISCARD)

    def _becomes(self, other: Spec) -> None:
        if not self._is_over:
            self._is_over = True
            self._oracle.became.returned(self._job.id, self._job.attempt, other.id)
            self._child.over(self._job, OutcomeNumber.BECAME, became=other.id)

    # what they have in common

    def _ask(
        self,
        target: Any,
        method: str,
        args: tuple[Any, ...],
        then: Callable[[Any], None],
        otherwise: Callable[[TqError], None],
    ) -> None:
        """As the attempt that has the lease."""

        def served(value: Any, sent: int) -> None:
            if value is not None:
                self._oracle.served(self._job.id, self._job.attempt, sent, method)

        self._call(target, method, (*self._token, *args), then, otherwise, served)

    def _call(
        self,
        target: Any,
        method: str,
        args: tuple[Any, ...],
        then: Callable[[Any], None],
        otherwise: Callable[[TqError], None],
        served: Callable[[Any, int], None] = lambda value, sent: None,
    ) -> None:
        sent = self._child.world.now

        def answered(value: Any, error: TqError | None) -> None:
            if error is None:
                served(value, sent)
            if self._is_over:
                return
            if isinstance(error, (Unreachable, StoreError)):
                again = partial(self._call, target, method, args, then, otherwise, served)
                self._child.later(PAUSE, again)
            elif error is not None:
                self._child.log(f"refused: {method}: {type(error).__name__}", self._job.id)
                otherwise(error)
            else:
                then(value)

        self._relay(self._child, list(target), method, args, answered)

    def _fails(self, error: TqError | None = None) -> None:
        self._wake(list(self._waits))
        self._ends(OutcomeNumber.ERROR)

    def _ends(self, outcome: OutcomeNumber, dies: int = 0, after: float | None = None) -> None:
        if not self._is_over:
            self._is_over = True
            self._child.over(self._job, outcome, dies, after)


def _opened(code: int, body: bytes) -> Any:
    return Carried(body) if code == CARRIED_CODE else msgpack.ExtType(code, body)
