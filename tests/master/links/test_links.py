"""Rows between shards of one process: once they are committed, in order, and again to a shard that has come again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from tq.master.links.linked import HANDED_MAX
from tq.master.links.links import Links
from tq.master.store.interface.edges import EdgeRow

from .shards_of_a_test import ShardOfATest, some


class Linked:
    """Links of some shards that have begun."""

    def __init__(self, *shards: ShardOfATest) -> None:
        self.bugs: list[str] = []
        self.links = Links(asyncio.get_running_loop(), {}, None, lambda action, **_: self.bugs.append(action))
        for shard in shards:
            self.links.add(shard.linked)
        self.links.begin()

    async def settle(self) -> None:
        """What was said is passed on in the next turn of the loop."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 30))


def test_a_row_is_handed_over_in_the_next_turn_of_the_loop_and_forgotten_when_it_is_applied() -> None:
    async def story() -> None:
        a, b = some([0, 1])
        linked = Linked(a, b)
        a.says(1, b"first", b"second")
        assert b.handed == []
        await linked.settle()
        assert (b.handed, b.wakes) == ([(0, [1, 2])], 1)
        assert a.expects() == {1}, "as long as the other one has not committed it"
        b.applies()
        await linked.settle()
        assert b.texts == {0: [b"first", b"second"]}
        assert (a.expects(), a.wakes) == (set(), 0), "it forgets them in a transaction that it makes anyway"
        linked.links.close()

    run(story())


def test_nothing_passes_before_it_has_begun_and_what_was_said_until_then_does_when_it_has() -> None:
    async def story() -> None:
        a, b = some([0, 1])
        links = Links(asyncio.get_running_loop(), {}, None, lambda *_, **__: None)
        links.add(a.linked)
        links.add(b.linked)
        a.says(1, b"x")
        await asyncio.sleep(0)
        assert b.handed == []
        links.begin()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert b.handed == [(0, [1])]
        links.close()

    run(story())


def test_a_shard_that_comes_is_handed_what_the_others_had_for_it() -> None:
    async def story() -> None:
        a, b = some([0, 1])
        linked = Linked(a)
        a.says(1, b"x")
        await linked.settle()
        linked.links.add(b.linked)
        await linked.settle()
        assert b.handed == [(0, [1])]
        linked.links.close()

    run(story())


def test_a_shard_that_has_gone_is_handed_nothing_and_one_that_comes_next_lifeall_that_it_has_not_applied() -> (
    None
):
    async def story() -> None:
        a, b = some([0, 1])
        linked = Linked(a, b)
        a.says(1, b"x")
        await linked.settle()
        linked.links.forget(1)
        a.says(1, b"y")
        await linked.settle()
        assert b.handed == [(0, [1])]
        next_life = ShardOfATest(1)
        linked.links.add(next_life.linked)
        await linked.settle()
        assert next_life.handed == [(0, [1, 2])]
        linked.links.close()

    run(story())


def test_more_than_is_handed_at_a_time_comes_when_that_is_applied() -> None:
    async def story() -> None:
        a, b = some([0, 1])
        linked = Linked(a, b)
        a.says(1, *[b"x"] * (HANDED_MAX + 2))
        await linked.settle()
        assert [len(numbers) for _, numbers in b.handed] == [HANDED_MAX]
        b.applies()
        await linked.settle()
        assert [len(numbers) for _, numbers in b.handed] == [HANDED_MAX, 2]
        linked.links.close()

    run(story())


def test_rows_for_which_a_shard_had_no_room_come_next_lifewhen_it_has() -> None:
    async def story() -> None:
        a, b = ShardOfATest(0), ShardOfATest(1, room=2)
        linked = Linked(a, b)
        a.says(1, b"1", b"2", b"3")
        await linked.settle()
        b.applies()
        await linked.settle()
        b.applies()
        assert b.texts == {0: [b"1", b"2", b"3"]}
        linked.links.close()

    run(story())


def test_a_bug_in_one_shard_is_logged_and_holds_up_no_other() -> None:
    class Broken(ShardOfATest):
        def received(self, of_shard: int, rows: Sequence[EdgeRow]) -> None:
            raise RuntimeError("no")

    async def story() -> None:
        a, broken, c = ShardOfATest(0), Broken(1), ShardOfATest(2)
        linked = Linked(a, broken, c)
        a.says(1, b"x")
        a.says(2, b"y")
        await linked.settle()
        assert (linked.bugs, c.handed) == (["master.bug"], [(0, [1])])
        linked.links.close()

    run(story())


def test_shards_at_rest_have_nothing_planned() -> None:
    async def story() -> None:
        a, b = some([0, 1])
        linked = Linked(a, b)
        await linked.settle()
        assert not linked.links._is_due
        linked.links.close()

    run(story())
