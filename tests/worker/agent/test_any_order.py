"""Whatever happens in whatever order: every lease ends, once, and nothing runs that should not.

A small master stands here beside the shipped agent: it leases, takes reports, loses lines, gives the worker
up and cancels. Hypothesis decides what happens next.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tq.common.domain.model import OutcomeNumber

from ...properties import examples
from ..workshop import KILL_GRACE_SECONDS, Workshop

SLOTS_MAX = 3
NAMES = ("m:short", "m:long")
Lease = tuple[int, bytes]  # attempt and lease id


class AnyOrder(RuleBasedStateMachine):
    shop: Workshop

    @initialize(slots=st.integers(1, SLOTS_MAX))
    def start(self, slots: int) -> None:
        self.slots = slots
        self.shop = Workshop(slots, connected=False)
        self.leased: dict[bytes, Lease] = {}  # what the master believes this worker holds
        self.ready: list[list[Any]] = []  # entries to lease, again if they were before
        self.doomed: set[tuple[bytes, int]] = set()  # cancelled or taken away: may end cancelled
        self.begun: Counter[tuple[bytes, int]] = Counter()
        self.returned: set[tuple[bytes, int]] = set()
        self.accepted: Counter[bytes] = Counter()
        self.number = 0
        self.seen = 0  # of what was released
        self.reconnect()

    # the master

    def take_released(self) -> None:
        """What was handed back may be leased again, as the next attempt."""
        for id, attempt, lease in self.shop.released[self.seen :]:
            if self.leased.get(id) == (attempt, lease):
                assert not self.begun[id, attempt], "handed back as not begun, and it was"
                self.free(id, attempt)
        self.seen = len(self.shop.released)

    def free(self, id: bytes, attempt: int, *, suspect: bool = False) -> None:
        self.returned.add((id, attempt))
        del self.leased[id]
        self.ready.append([id, attempt + 1, b"payload", *([True] if suspect else [])])

    @precondition(lambda self: self.shop.leases)
    @rule(count=st.integers(1, 40), name=st.sampled_from(NAMES), timeout=st.sampled_from([None, 0.2]))
    def grant(self, count: int, name: str, timeout: float | None) -> None:
        count = min(count, self.shop.leases[0])
        entries, self.ready = self.ready[:count], self.ready[count:]
        entries += self.shop.tasks(count - len(entries))
        self.number += 1
        lease = self.number.to_bytes(16, "big")
        self.leased |= {entry[0]: (entry[1], lease) for entry in entries}
        self.shop.grant(entries, name=name, timeout=timeout, lease=lease)

    @precondition(lambda self: self.shop.finishing)
    @rule()
    def answer_finish(self) -> None:
        self.shop.acknowledge(self.take(self.shop.finishing[0]))

    def take(self, rows: list[list[Any]]) -> list[int]:
        """Take a report as the master does; what was stale."""
        stale = []
        for index, (id, attempt, lease, outcome, *_) in enumerate(rows):
            if self.leased.get(id) != (attempt, lease):
                stale.append(index)
                continue
            if outcome == OutcomeNumber.CANCELLED:
                assert (id, attempt) in self.doomed, "this task was not to be ended"
            else:
                assert self.begun[id, attempt], "over before it began"
            del self.leased[id]
            self.accepted[id] += 1
        return stale

    @precondition(lambda self: self.shop.starts)
    @rule()
    def answer_starting(self) -> None:
        ids = self.shop.starts.popleft()
        self.shop.agent.may_start(ids, self.shop.now)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.leased)))
        attempt, _ = self.leased[id]
        self.doomed.add((id, attempt))
        if self.shop.agent.connected:
            self.shop.agent.cancel(id, attempt, self.shop.now)

    # the line

    @precondition(lambda self: self.shop.agent.connected)
    @rule(arrived=st.booleans())
    def cut(self, arrived: bool) -> None:
        """The line breaks; the report under way may have arrived, its answer has not."""
        if arrived and self.shop.finishing:
            self.take(self.shop.finishing[0])
        self.shop.cut()

    @precondition(lambda self: not self.shop.agent.connected)
    @rule()
    def give_up(self) -> None:
        """The worker stayed away too long: what it held are suspects now."""
        for id, (attempt, _) in list(self.leased.items()):
            self.doomed.add((id, attempt))
            self.free(id, attempt, suspect=True)

    @precondition(lambda self: not self.shop.agent.connected)
    @rule()
    def reconnect(self) -> None:
        held = self.shop.held
        kept = {id for id, attempt, lease in held if self.leased.get(id) == (attempt, lease)}
        dropped = [id for id, attempt, lease in held if self.leased.get(id) != (attempt, lease)]
        for id, (attempt, _) in list(self.leased.items()):
            if id not in kept:
                self.free(id, attempt)
        self.shop.agent.connect(dropped, self.shop.now)

    # children

    def with_unstarted(self) -> list[int]:
        return [
            n for n, sim in self.shop.sims.items() if sim.unstarted and sim.running is sim.between is None
        ]

    @precondition(lambda self: self.with_unstarted())
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(self.with_unstarted()))
        job = self.shop.sims[child].begin()
        assert not job.suspect, "begun before the master knew"
        assert (job.id, job.attempt) not in self.returned or (job.id, job.attempt) in self.doomed
        self.begun[job.id, job.attempt] += 1

    @precondition(lambda self: self.with_unstarted())
    @rule(data=st.data())
    def come_to(self, data: st.DataObject) -> None:
        """A child comes to a job; what happens before it begins is up to the next rules."""
        self.shop.sims[data.draw(st.sampled_from(self.with_unstarted()))].come_to()

    @rule()
    def go_on(self) -> None:
        """Each of these children begins its job or leaves it."""
        for sim in self.shop.sims.values():
            if sim.between is not None:
                job = sim.between[1]
                key = job.id, job.attempt
                if sim.go_on():
                    self.begun[key] += 1

    @precondition(lambda self: self.shop.running())
    @rule(data=st.data(), seconds=st.sampled_from([1e-4, 0.01, 5.0]))
    def end(self, data: st.DataObject, seconds: float) -> None:
        busy = [n for n, sim in self.shop.sims.items() if sim.running is not None]
        child = data.draw(st.sampled_from(busy))
        running = self.shop.sims[child].running
        asked = {kind for n, ordinal, kind in self.shop.notices if (n, ordinal) == (child, running.ordinal)}  # type: ignore[union-attr]
        outcome = OutcomeNumber.CANCELLED if "cancel" in asked else OutcomeNumber.SUCCESS
        self.shop.sims[child].end(outcome, seconds)

    @rule()
    def report(self) -> None:
        for child, sim in self.shop.sims.items():
            if sim.unsaid:
                self.shop.report(child)

    @precondition(lambda self: self.shop.sims)
    @rule(data=st.data(), first_word=st.booleans())
    def die(self, data: st.DataObject, first_word: bool) -> None:
        child = data.draw(st.sampled_from(sorted(self.shop.sims)))
        if first_word and self.shop.sims[child].unsaid:
            self.shop.report(child)
        between = self.shop.sims[child].between
        if between is not None:  # its page says that this one was begun
            self.begun[between[1].id, between[1].attempt] += 1
        self.shop.die(child)

    @precondition(lambda self: len(self.shop.sims) < self.slots)
    @rule()
    def hire(self) -> None:
        number = max([*self.shop.sims, *(n for n, _, _ in self.shop.notices), self.number]) + 1
        self.number = number
        self.shop.hire(number)

    # time

    @rule(seconds=st.sampled_from([0.05, 0.1, 1.0, 3 * KILL_GRACE_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.shop.wait(seconds)

    @rule()
    def drain(self) -> None:
        self.shop.agent.drain(self.shop.now)

    # what always holds

    @invariant()
    def nothing_runs_twice_and_no_more_than_there_are_slots(self) -> None:
        self.take_released()
        assert len(self.shop.running()) <= self.slots
        assert all(times == 1 for times in self.begun.values())
        assert all(times == 1 for times in self.accepted.values())

    @invariant()
    def a_lease_is_in_one_place(self) -> None:
        held = [(id, attempt) for id, attempt, _ in self.shop.held]
        assert len(held) == len(set(held))

    @invariant()
    def master_and_worker_agree_on_what_is_held(self) -> None:
        """With a line between them nothing is leased to this worker that it does not know of."""
        self.take_released()
        if self.shop.agent.connected:
            held = {(id, attempt, lease) for id, attempt, lease in self.shop.held}
            assert {(id, *lease) for id, lease in self.leased.items()} <= held

    @invariant()
    def no_more_suspects_are_announced_than_could_start(self) -> None:
        assert len(self.shop.agent.backlog.announced) <= self.slots

    def teardown(self) -> None:
        """Drained, connected and left to end, it holds nothing, and the master waits for nothing of it."""
        if not hasattr(self, "leased"):
            return
        if not self.shop.agent.connected:
            self.reconnect()
        self.shop.agent.drain(self.shop.now)
        self.go_on()
        for sim in self.shop.sims.values():
            if sim.running is not None:
                sim.end()
        self.report()
        while self.shop.finishing:
            self.answer_finish()
        self.take_released()
        assert self.shop.agent.idle
        assert not self.leased


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = examples(
    30, stateful_step_count=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
