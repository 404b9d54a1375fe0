"""A shard that numbers rows and applies them once, as ``master/edges`` does it, with as little as links see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from tq.master.links.linked import LinkedShard
from tq.master.store.interface.edges import EdgeRow


class ShardOfATest:
    """Its transactions are made by the test. ``texts``: what it has applied, by shard. ``room``: for so many rows of each other shard that
    are not applied yet."""

    def __init__(self, number: int, room: int = 1_000_000) -> None:
        self.number, self.room = number, room
        self.listener: Callable[[set[int]], None] = lambda others: None
        self.wake: Callable[[], None] = lambda: None
        self.out: dict[int, list[EdgeRow]] = {}
        self.made: dict[int, int] = {}
        self.numbers: dict[int, int] = {}  # of the last row of each that it has applied
        self.texts: dict[int, list[bytes]] = {}
        self.waits_for: set[int] = set()
        self.handed: list[tuple[int, list[int]]] = []  # each time, of which shard, which numbers
        self.acknowledgements: list[tuple[int, int]] = []
        self.wakes = 0
        self._received: dict[int, list[EdgeRow]] = {}

    @property
    def linked(self) -> LinkedShard:
        return LinkedShard(self.number, self, self._woken)

    def _woken(self) -> None:
        self.wakes += 1

    # what a test has it do

    def says(self, to: int, *texts: bytes) -> None:
        """In a transaction that is committed."""
        for text in texts:
            self.made[to] = self.made.get(to, 0) + 1
            self.out.setdefault(to, []).append(EdgeRow(self.made[to], 0, text))
        self.listener({to})

    def applies(self) -> None:
        """What it was handed, in a transaction that is committed."""
        received, self._received = self._received, {}
        for shard, rows in received.items():
            self.numbers[shard] = rows[-1].number
            self.texts.setdefault(shard, []).extend(row.body for row in rows)
        self.listener(set(received))

    # what links ask

    def received(self, of_shard: int, rows: Sequence[EdgeRow]) -> None:
        self.handed.append((of_shard, [row.number for row in rows]))
        taken = self._received.setdefault(of_shard, [])
        for row in rows:
            if row.number == self.taken(of_shard) + 1 and len(taken) < self.room:
                taken.append(row)
        self.wake()

    def acknowledged(self, by_shard: int, number: int) -> None:
        self.acknowledgements.append((by_shard, number))
        self.out[by_shard] = [row for row in self.out.get(by_shard, []) if row.number > number]

    def pending(self, to_shard: int, after: int, most: int) -> Sequence[EdgeRow]:
        return [row for row in self.out.get(to_shard, []) if row.number > after][:most]

    def expects(self) -> AbstractSet[int]:
        return self.waits_for | {to for to, rows in self.out.items() if rows}

    def applied(self, of_shard: int) -> int:
        return self.numbers.get(of_shard, 0)

    def taken(self, of_shard: int) -> int:
        received = self._received.get(of_shard)
        return received[-1].number if received else self.applied(of_shard)


def some(numbers: Iterable[int]) -> list[ShardOfATest]:
    return [ShardOfATest(number) for number in numbers]


async def until(condition: Callable[[], bool]) -> None:
    """What is waited for is in a thread, or a turn of the loop away."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)
