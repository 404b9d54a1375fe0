"""A job is begun by its child or taken back by its supervisor, never both and never neither, in whatever order they act.

The shipped functions are run against a memory that holds back writes, as processors do: another process sees a write when
the model says so, and at the latest at a fence. Every state that any order of their steps leads to is looked at. A program is
run again from its start for every step, with the answers that its reads have had: it is a function of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from tq.worker.child.start_page import BEGUN, LEFT, RUNS, TAKEN, StartPage

JOBS = (1, 2, 3)  # the ordinals of a block, all of which is taken back
WORDS = (BEGUN, TAKEN, LEFT, RUNS)
Operation = tuple[str, int, int]  # read, write or fence; the word; the value


class Unanswered(Exception):
    """A program reads what it has not read before."""


class Recorder:
    """What a program does to its words and its lock, as far as the answers go."""

    def __init__(self, answers: tuple[int, ...]) -> None:
        self._answers = iter(answers)
        self.done: list[Operation] = []

    def __getitem__(self, index: int) -> int:
        self.done.append(("read", index, 0))
        for answer in self._answers:
            return answer
        raise Unanswered

    def __setitem__(self, index: int, value: int) -> None:
        self.done.append(("write", index, value))

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        self.done.append(("fence", 0, 0))


class Ends(NamedTuple):
    """What the child did with the jobs, or what the supervisor learnt."""

    run: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    begun: int = 0


def child(recorder: Recorder) -> Ends:
    page, run, left = StartPage(recorder, recorder), list[int](), list[int]()
    for ordinal in JOBS:
        if page.begin(ordinal):
            run.append(ordinal)
        elif page.has_left(ordinal):
            left.append(ordinal)
    return Ends(run=tuple(run), left=tuple(left))


def supervisor(recorder: Recorder) -> Ends:
    return Ends(begun=StartPage(recorder, recorder).take_back(JOBS[-1]))


PROGRAMS: tuple[Callable[[Recorder], Ends], ...] = (child, supervisor)


class Side(NamedTuple):
    """A process: what its reads were answered, how many operations it has done, its writes that only it sees yet."""

    answers: tuple[int, ...] = ()
    done: int = 0
    writes: tuple[tuple[int, int], ...] = ()


class State(NamedTuple):
    memory: tuple[int, ...] = (0, 0, 0, 0)  # by WORDS
    sides: tuple[Side, Side] = (Side(), Side())

    def with_side(self, which: int, side: Side) -> State:
        return self._replace(sides=(side, self.sides[1]) if which == 0 else (self.sides[0], side))


def run(which: int, answers: tuple[int, ...]) -> tuple[list[Operation], Ends | None]:
    """What a program does with these answers; and how it ends, if they are all that it asks for."""
    recorder = Recorder(answers)
    try:
        ends = PROGRAMS[which](recorder)
    except Unanswered:
        return recorder.done, None
    return recorder.done, ends


def next_states(state: State, *, fences: bool) -> Iterator[State]:
    for which, side in enumerate(state.sides):
        if side.writes:  # the oldest one reaches the memory
            (index, value), *rest = side.writes
            memory = list(state.memory)
            memory[WORDS.index(index)] = value
            drained = state._replace(memory=tuple(memory))
            yield drained.with_side(which, side._replace(writes=tuple(rest)))
        operations, _ = run(which, side.answers)
        if side.done == len(operations):
            continue
        kind, index, value = operations[side.done]
        after = side._replace(done=side.done + 1)
        if kind == "read":
            own = [written for at, written in side.writes if at == index]
            seen = own[-1] if own else state.memory[WORDS.index(index)]
            yield state.with_side(which, after._replace(answers=(*side.answers, seen)))
        elif kind == "write":
            yield state.with_side(which, after._replace(writes=(*side.writes, (index, value))))
        elif not fences or not side.writes:
            yield state.with_side(which, after)


def faults(state: State) -> Iterator[str]:
    """What is wrong when both have come to their ends."""
    (_, ran), (_, took) = run(0, state.sides[0].answers), run(1, state.sides[1].answers)
    assert ran is not None
    assert took is not None
    for ordinal in JOBS:
        is_taken = ordinal > took.begun
        if is_taken and ordinal in ran.run:
            yield "run and taken back"
        if not (is_taken or ordinal in ran.run or ordinal in ran.left):
            yield "neither run, nor taken back, nor left"
        if ordinal in ran.run and ordinal > state.memory[WORDS.index(BEGUN)]:
            yield "run, and a dead child's page does not say so"


def explore(*, fences: bool) -> tuple[set[State], set[str]]:
    """All ends that there are, and what is wrong with any of them."""
    seen, waiting, ends = {State()}, [State()], set[State]()
    while waiting:
        state = waiting.pop()
        after = list(next_states(state, fences=fences))
        if not after:
            ends.add(state)
        waiting += [one for one in after if one not in seen]
        seen.update(after)
    return ends, {fault for state in ends for fault in faults(state)}


def test_in_every_order_of_steps_a_job_is_run_or_taken_back_and_never_both() -> None:
    ends, wrong = explore(fences=True)
    assert wrong == set()
    children = [run(0, state.sides[0].answers)[1] for state in ends]
    begun = {run(1, state.sides[1].answers)[1] for state in ends}
    assert {one.run for one in children if one} == {(), (1,), (1, 2), (1, 2, 3)}
    assert {one.left for one in children if one} == {(), (1,), (2,), (3,)}
    assert {one.begun for one in begun if one} == {0, 1, 2, 3}


def test_without_the_fence_the_same_exploration_finds_a_job_that_is_run_and_taken_back() -> None:
    _, wrong = explore(fences=False)
    assert "run and taken back" in wrong


@pytest.mark.parametrize(
    ("words", "begun"), [({BEGUN: 0, LEFT: 0}, 0), ({BEGUN: 5, LEFT: 3}, 5), ({BEGUN: 5, LEFT: 5}, 4)]
)
def test_the_page_of_a_dead_child_says_what_it_had_begun(words: dict[int, int], begun: int) -> None:
    assert StartPage({TAKEN: 0, **words}).begun == begun


def test_only_a_job_that_was_taken_back_and_left_may_be_reported_as_left() -> None:
    page = StartPage({BEGUN: 7, TAKEN: 9, LEFT: 7})
    assert page.may_be_left(7)
    assert not page.may_be_left(8)
    assert not StartPage({BEGUN: 7, TAKEN: 0, LEFT: 7}).may_be_left(7)
