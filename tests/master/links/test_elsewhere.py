"""Rows of shards of other processes: read in a thread when another process rings, or while something is open, and by no one at rest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from tq.master.links.elsewhere import SAID_AFTER_SECONDS, AwayNeighbours, LinksElsewhere, LookPauses
from tq.master.links.linked import LinkedShard
from tq.master.links.links import Links
from tq.master.store.neighbours import ROWS_MAX, EdgesSeen, EdgesWanted, NeighboursSeen

from .shards_of_a_test import ShardOfATest, until

NEVER = LookPauses(3_600.0, 3_600.0)
AT_ONCE = LookPauses(0.001, 0.001)


class NeighboursOfATest:
    """What other processes have committed. ``gate``: a read waits for it."""

    def __init__(self, *shards: ShardOfATest) -> None:
        self.shards = {shard.number: shard for shard in shards}
        self.reads: list[list[EdgesWanted]] = []
        self.rests = 0
        self.gate = threading.Event()
        self.gate.set()

    def read(self, wants: Sequence[EdgesWanted]) -> NeighboursSeen:
        assert threading.current_thread() is not threading.main_thread()
        self.reads.append(list(wants))
        seen = [self._seen(want) for want in wants if want.of_shard in self.shards]
        away: dict[int, str | None] = {
            want.of_shard: "it is not there" for want in wants if want.of_shard not in self.shards
        }
        assert self.gate.wait(30)
        return NeighboursSeen(seen, away)

    def _seen(self, want: EdgesWanted) -> EdgesSeen:
        other = self.shards[want.of_shard]
        rows = other.pending(want.shard, want.after, ROWS_MAX)
        return EdgesSeen(want.shard, want.of_shard, rows, other.applied(want.shard))

    def rest(self) -> None:
        self.rests += 1


class Apart:
    """A process with these shards, and another one with those of ``neighbours``."""

    def __init__(
        self,
        neighbours: NeighboursOfATest,
        *shards: ShardOfATest,
        pauses: LookPauses = NEVER,
        rings: bool = True,
    ) -> None:
        loop, linked = asyncio.get_running_loop(), dict[int, LinkedShard]()
        self.rung: list[tuple[int, int]] = []
        self.log: list[str] = []
        ring: Callable[[int, int], None] | None = (
            (lambda of, shard: self.rung.append((of, shard))) if rings else None
        )
        report = lambda action, **_: self.log.append(action)  # noqa: E731 - a log
        self.elsewhere = LinksElsewhere(loop, linked, neighbours, pauses, report, ring)
        self.links = Links(loop, linked, self.elsewhere, report)
        for shard in shards:
            self.links.add(shard.linked)
        self.links.begin()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_a_process_that_is_rung_reads_what_there_is_and_rings_when_it_has_applied_it() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        there.says(0, b"first", b"second")
        neighbours = NeighboursOfATest(there)
        apart = Apart(neighbours, here)
        await asyncio.sleep(0)
        assert neighbours.reads == [], "nothing is looked at by itself"
        apart.links.seen([(1, 0), (1, 2)])
        await until(lambda: here.wakes == 1)
        assert (neighbours.reads, here.handed) == ([[EdgesWanted(0, 1, 0)]], [(1, [1, 2])])
        here.applies()
        await until(lambda: bool(apart.rung))
        assert (apart.rung, here.texts) == ([(0, 1)], {1: [b"first", b"second"]})
        apart.links.close()

    run(story())


def test_rows_for_a_shard_elsewhere_ring_its_process_and_are_forgotten_when_it_says_that_they_are_applied() -> (
    None
):
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        apart = Apart(NeighboursOfATest(there), here)
        here.says(1, b"x")
        await until(lambda: apart.rung == [(0, 1)])
        there.numbers[0] = 1
        apart.links.seen([(1, 0)])
        await until(lambda: not here.expects())
        apart.links.close()

    run(story())


def test_while_something_is_open_it_is_looked_at_again_and_again_and_rung_for_what_is_not_taken() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        neighbours = NeighboursOfATest(there)
        apart = Apart(neighbours, here, pauses=AT_ONCE)
        here.says(1, b"x")
        await until(lambda: len(apart.rung) > 3 and len(neighbours.reads) > 3)
        there.numbers[0] = 1
        await until(lambda: not here.expects())
        apart.links.close()

    run(story())


def test_with_nothing_open_no_timer_is_left_and_connections_are_given_back(monkeypatch: Any) -> None:
    monkeypatch.setattr("tq.master.links.elsewhere.REST_SECONDS", 0.001)

    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        neighbours = NeighboursOfATest(there)
        apart = Apart(neighbours, here, pauses=AT_ONCE)
        here.says(1, b"x")
        there.numbers[0] = 1
        await until(lambda: neighbours.rests == 1)
        assert apart.elsewhere._timer is None
        apart.links.close()

    run(story())


def test_without_bells_what_is_open_is_looked_at_by_itself() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        here.waits_for = {1}
        apart = Apart(NeighboursOfATest(there), here, pauses=AT_ONCE, rings=False)
        await asyncio.sleep(0)
        there.says(0, b"it has ended")
        await until(lambda: here.handed == [(1, [1])])
        assert apart.rung == []
        apart.links.close()

    run(story())


def test_more_than_one_read_brings_comes_when_the_first_part_is_applied() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        there.says(0, *[b"x"] * (ROWS_MAX + 5))
        apart = Apart(NeighboursOfATest(there), here)
        apart.links.seen([(1, 0)])
        await until(lambda: here.wakes == 1)
        here.applies()
        await until(lambda: here.wakes == 2)
        here.applies()
        assert len(here.texts[1]) == ROWS_MAX + 5
        apart.links.close()

    run(story())


def test_what_was_read_for_a_shard_that_has_gone_meanwhile_is_not_handed_to_its_next_life() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        there.says(0, b"x")
        neighbours = NeighboursOfATest(there)
        apart = Apart(neighbours, here)
        neighbours.gate.clear()
        apart.links.seen([(1, 0)])
        await until(lambda: len(neighbours.reads) == 1)
        apart.links.forget(0)
        again = ShardOfATest(0)
        apart.links.add(again.linked)
        neighbours.gate.set()
        await until(lambda: not apart.elsewhere._is_reading)
        assert again.handed == []
        apart.links.seen([(1, 0)])
        await until(lambda: again.handed == [(1, [1])])
        apart.links.close()

    run(story())


def test_what_was_read_of_a_shard_that_is_here_by_now_is_older_than_what_it_says_itself() -> None:
    async def story() -> None:
        there, here = ShardOfATest(1), ShardOfATest(0)
        neighbours = NeighboursOfATest(there)
        apart = Apart(neighbours, here)
        here.says(1, b"x")
        await until(lambda: apart.rung == [(0, 1)])
        neighbours.gate.clear()
        apart.links.seen([(1, 0)])
        await until(lambda: len(neighbours.reads) == 1)
        come = ShardOfATest(1)
        here.acknowledgements.clear()
        apart.links.add(come.linked)
        come.numbers[0] = 1
        neighbours.gate.set()
        await until(lambda: not apart.elsewhere._is_reading)
        assert here.acknowledgements == [(1, 1)], "and not 0, as the file said"
        apart.links.close()

    run(story())


def test_a_neighbour_that_stays_away_is_said_once_and_so_is_its_return() -> None:
    said: list[tuple[str, dict[str, Any]]] = []
    away = AwayNeighbours(lambda action, **fields: said.append((action, fields)))
    gone, there = NeighboursSeen([], {3: "no such file"}), NeighboursSeen([EdgesSeen(0, 3, [], 0)], {})
    away.looked(gone, 100.0)
    away.looked(gone, 100.0 + SAID_AFTER_SECONDS / 2)
    assert said == []
    for second in range(3):
        away.looked(gone, 100.0 + SAID_AFTER_SECONDS + second)
    for _ in range(3):
        away.looked(there, 120.0)
    assert said == [
        ("neighbour.away", {"level": "warning", "shard": 3, "reason": "no such file"}),
        ("neighbour.back", {"shard": 3}),
    ]


def test_a_neighbour_that_is_about_to_start_is_no_news() -> None:
    said: list[str] = []
    away = AwayNeighbours(lambda action, **_: said.append(action))
    for second in range(100):
        away.looked(NeighboursSeen([], {3: None}), float(second))
    assert said == []
