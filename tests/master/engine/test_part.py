"""The engine's parts: called by what every part is, in their order, and by no name."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator

import pytest
from tq.master.engine.clock import Now
from tq.master.engine.core import Core
from tq.master.engine.engine import Engine
from tq.master.engine.limits import EngineLimits
from tq.master.engine.part import Part
from tq.master.engine.session import Session
from tq.master.store.interface.store import Picture
from tq.master.store.sqlite.store import SqliteStore

START = Now(1_700_000_000_000, 1_000_000)


class Telling(Part):
    """Notes each of its methods that is called."""

    name = "telling"

    def __init__(self, story: list[str]) -> None:
        self._story = story

    def load(self, picture: Picture, now: Now) -> None:
        self._story.append("load")

    def begin(self) -> None:
        self._story.append("begin")

    def due(self, key: Hashable, now: Now) -> None:
        self._story.append(f"due {key}")

    def give_out(self, now: Now) -> None:
        self._story.append("give out")

    def settle(self, now: Now) -> None:
        self._story.append("settle")

    def committed(self) -> None:
        self._story.append("committed")

    def void(self) -> list[Session]:
        self._story.append("void")
        return []


class Second(Part):
    """Fails in ``settle`` if ``fails`` is set."""

    fails = False

    def __init__(self, core: Core, story: list[str]) -> None:
        self._core, self._story = core, story

    def settle(self, now: Now) -> None:
        self._story.append("settle second")
        if self.fails:
            raise ZeroDivisionError


@pytest.fixture
def core() -> Iterator[Core]:
    store, counter = SqliteStore(None, "memory"), itertools.count(1)
    yield Core(
        store,
        EngineLimits(),
        random=lambda: 0.5,
        random_bytes=lambda size: next(counter).to_bytes(size, "big"),
        report=lambda action, **fields: None,
    )
    store.close()


def test_the_parts_of_an_engine_are_called_in_their_order(core: Core) -> None:
    story: list[str] = []
    telling, second = Telling(story), Second(core, story)
    engine = Engine(core, [telling, second])
    engine.start(START)
    assert story == ["load"]
    assert engine.part(Telling) is telling
    core.agenda.set(telling, "moment", START.mono + 100)
    assert engine.next_wakeup() == START.mono + 100
    story.clear()
    batch = engine.run(START._replace(wall=START.wall + 100, mono=START.mono + 100))
    engine.committed(batch)
    assert story == ["begin", "due moment", "give out", "settle", "settle second", "committed"]


def test_after_a_transaction_that_failed_the_parts_forget_it_and_load_again(core: Core) -> None:
    story: list[str] = []
    telling, second = Telling(story), Second(core, story)
    engine = Engine(core, [telling, second])
    engine.start(START)
    core.agenda.set(telling, "moment", START.mono)
    story.clear()
    second.fails = True
    assert engine.run(START).failed
    second.fails = False
    assert story[-3:] == ["settle second", "void", "load"]
    story.clear()
    assert engine.trouble.since is not None
    for ms in range(0, 5_000, 100):  # each part's chore by itself
        engine.committed(engine.run(START._replace(wall=START.wall + ms, mono=START.mono + ms)))
    assert "due moment" in story
    assert engine.trouble.since is None
