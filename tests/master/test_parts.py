"""What a master is put together from: nothing that was made is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tq.master.engine.part import Part
from tq.master.parts import EXPOSED
from tq.master.tasks.consulted import Consulted
from tq.master.tasks.dispatch import Dispatch

from tests.master.conftest import Bench


def kept_by(thing: Any) -> Iterator[Any]:
    for name in (*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())):
        kept = getattr(thing, name, None)
        yield getattr(kept, "__self__", kept)


def reached_from(part: Part) -> list[Part]:
    """The parts that it uses, those that these use, and so on: each keeps them itself, or in what it is made of."""
    reached, left = [part], [part]
    while left:
        kept = list(kept_by(left.pop()))
        inner = [one for own in kept if not isinstance(own, Part) for one in kept_by(own)]
        for one in (*kept, *inner):
            if isinstance(one, Part) and one not in reached:
                reached.append(one)
                left.append(one)
    return reached


def test_each_part_that_another_one_uses_is_among_those_that_the_engine_calls(bench: Bench) -> None:
    """One that is made and not listed would neither load what the store has nor write what it is to keep."""
    reached = reached_from(bench.engine.part(Dispatch))
    assert len(reached) > 20
    assert [part for part in reached if bench.engine.part(type(part)) is not part] == []


def test_all_that_is_consulted_is_set(bench: Bench) -> None:
    consulted = bench.engine.part(Dispatch).consulted
    assert [name for name in Consulted.__slots__ if not hasattr(consulted, name)] == []


def test_each_object_that_clients_may_ask_for_has_a_class_of_its_own() -> None:
    assert len(set(EXPOSED.values())) == len(EXPOSED)
