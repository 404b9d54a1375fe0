"""Which tasks of a submit are new, and which contradict what is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.common.errors import TaskConflict
from tq.master.tasks.known_tasks import new_tasks
from tq.master.tasks.plan import Submission
from tq.master.tasks.submitted import NewRun

FIRST, SECOND, THIRD = (number.to_bytes(16, "big") for number in (1, 2, 3))
STORED = {10: b"a", 11: b"b"}


def of(payloads: list[bytes], *, first: bytes = FIRST, own: bool = False) -> Submission:
    call = None if own else SimpleNamespace()
    runs = [NewRun(first, payloads)]
    made: Any = SimpleNamespace(call=call, route=SimpleNamespace(plain=SimpleNamespace(number=1)), runs=runs)
    made.ids = lambda: (id for new in runs for id in new.run.ids())
    return cast(Submission, made)


def test_what_is_not_known_is_new() -> None:
    known = {FIRST: (1, 10)}
    assert new_tasks(of([b"a", b"b", b"c"]), known, STORED.__getitem__) == {SECOND: b"b", THIRD: b"c"}


def test_the_payload_of_the_same_transaction_counts_as_well() -> None:
    assert new_tasks(of([b"a"]), {FIRST: (1, b"a")}, STORED.__getitem__) == {}


@pytest.mark.parametrize("known", [(1, 11), (2, 10), (1, b"other")])
def test_another_payload_or_route_is_a_conflict(known: tuple[int, int | bytes]) -> None:
    with pytest.raises(TaskConflict, match="use another key, or none"):
        new_tasks(of([b"a"]), {FIRST: known}, STORED.__getitem__)


def test_of_the_tasks_of_the_master_itself_those_that_are_there_stay() -> None:
    assert new_tasks(of([b"x", b"y"], own=True), {FIRST: (1, 11)}, STORED.__getitem__) == {SECOND: b"y"}
