"""Random lives of a task with steps: kills between a call and its record, answers that are lost, attempts that have lost their lease,
masters that are killed before and after a commit.

The oracle is a dict: what was recorded first. From then on each attempt gets that, and the function is not called again.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.directives import Suspended
from tq.common.domain.model import StateNumber
from tq.common.errors import LeaseLost, Unreachable
from tq.common.values.codec import encode
from tq.worker.child.steps import AttemptSteps

from ..new_store import NewStore
from .conftest import BenchLink, TaskLife

FAULTS = ("request lost", "answer lost", "killed before", "killed after", "void", "restart", "lease lost")
fault = st.one_of(st.none(), st.none(), st.sampled_from(FAULTS))
steps = st.lists(st.one_of(st.just(0), st.integers(1, 90)), min_size=1, max_size=6)  # 0: a call, else a sleep
ends = st.lists(
    st.tuples(st.integers(0, 6), st.booleans()), max_size=4
)  # attempts that fail behind a step, or are killed


class Killed(BaseException):
    """The child process is gone."""


class Life(TaskLife, BenchLink):
    def __init__(self, program: list[int], faults: list[str | None]) -> None:
        super().__init__(NewStore(), retries=10_000, max_crashes=10_000, backoff=0.0)
        BenchLink.__init__(self, self)
        self.link = self
        self.program, self.faults = program, faults
        self.recorded: dict[int, str] = {}  # the oracle
        self.until: dict[int, int] = {}  # of sleeps that are recorded, steady
        self.called = 0
        self.results: list[list[str]] = []  # of attempts that came to the end
        self.token: tuple[bytes, int, bytes] | None = None

    def call(self, target: Any, method: str, *args: Any) -> Any:
        what = self.faults.pop() if self.faults else None

        def before(method: str) -> None:
            if what == "request lost":
                raise Unreachable
            if what == "killed before":
                raise Killed
            if what in ("lease lost", "overtaken"):
                self.lose()
            if what == "overtaken":
                self.overtake()
            if what == "void":
                self.client.ask(tuple(target), method, *args)
                self.bench.engine.run(self.bench.now)
                self.restart(self.token)
                raise Unreachable

        def after(method: str) -> None:
            self.note(method, *args[3:])
            if what == "restart":
                self.restart(self.token)
            if what in ("answer lost", "restart"):
                raise Unreachable
            if what == "killed after":
                raise Killed

        self.before, self.after = before, after
        return BenchLink.call(self, target, method, *args)

    _life: Any = property(lambda self: self, lambda self, value: None)

    def note(self, method: str, number: int = 0, *rest: Any) -> None:
        """A call was done and committed."""
        shown = {row[0] for row in self.show()["steps"]}
        if method == "record" and number in shown:
            self.recorded.setdefault(number, rest[1])
        if method == "sleep" and number in shown:
            self.until.setdefault(number, self.bench.now.steady + int(rest[0] * 1000))

    def body(self, steps: AttemptSteps, fails_behind: int | None, *, is_killed: bool) -> list[str]:
        got: list[str] = []
        for number, seconds in enumerate(self.program, 1):
            if seconds:
                assert steps.suspend(seconds) is None
                assert self.bench.now.steady >= self.until[number], "it slept for as long as it was asked"
            else:
                got.append(steps.call(f"step {number}", self.function, (number,), {}))
            if number == fails_behind:
                raise Killed if is_killed else ArithmeticError("the task fails")
        return got

    def function(self, number: int) -> str:
        assert number not in self.recorded, "what is recorded is not called again"
        self.called += 1
        return f"result {self.called} of {number}"

    def attempt(self, fails_behind: int | None, *, is_killed: bool = False) -> Any:
        steps = self.lease()
        self.token = steps.token
        try:
            ended = self.end(steps, lambda steps: self.body(steps, fails_behind, is_killed=is_killed))
        except Killed:
            self.report(steps, 6, b"", None)
            return None
        if isinstance(ended, list):
            self.results.append(ended)
        if isinstance(ended, LeaseLost):
            assert self.names == [row[2] for row in self.show()["steps"]]
        return ended

    def overtake(self) -> None:
        """Another attempt runs, and the one under way goes on after it."""
        faults, self.faults = self.faults, []
        hooks, mine = (self.before, self.after), self.token
        self.attempt(None)
        self.faults, self.token = faults, mine
        self.before, self.after = hooks

    def wait(self) -> None:
        while self.state == StateNumber.SCHEDULED:
            self.bench.advance(7)


@given(steps, st.lists(fault, max_size=20), ends)
def test_what_is_recorded_is_what_every_later_attempt_gets(
    program: list[int], faults: list[str | None], ends: list[tuple[int, bool]]
) -> None:
    life = Life(program, faults)
    pause, AttemptSteps._pause = AttemptSteps.__dict__["_pause"], staticmethod(lambda seconds: None)  # type: ignore[assignment]
    try:
        for _ in range(200):
            fails_behind, is_killed = ends.pop() if ends else (None, False)
            ended = life.attempt(fails_behind, is_killed=is_killed)
            if life.state == StateNumber.SUCCEEDED:
                break
            if isinstance(ended, Suspended):
                assert life.state in (StateNumber.SCHEDULED, StateNumber.READY)
            life.wait()
        assert len(life.results) == 1, "one attempt ends the task"
        calls = [number for number, seconds in enumerate(program, 1) if not seconds]
        assert [life.recorded[number] for number in calls] == [encode(value) for value in life.results[0]]
        assert [row[0] for row in life.show()["steps"]] == list(range(1, len(program) + 1))
        assert life.show()["failures"] <= 4, "neither a sleep nor a lost lease is charged as a failure"
    finally:
        AttemptSteps._pause = pause
        life.store.close()


def test_the_oracle_notices_a_second_call() -> None:
    life = Life([0], [])
    life.recorded[1] = "x"
    with pytest.raises(AssertionError, match="not called again"):
        life.function(1)
    life.store.close()
