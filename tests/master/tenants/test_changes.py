"""Changes of one tenant that are made in several shards at the same moment, in every order in which their calls may arrive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
import tq
from tq.client.core import merges
from tq.common.domain.shards import Shard, shard_of_name
from tq.common.domain.tenants import TenantTerms
from tq.master.engine.clock import Now
from tq.master.store.interface.store import Store
from tq.master.store.interface.tenants import TenantRow
from tq.master.tenants.tenants import PLANNED_MAX, SetTenants

SHARDS = 3
QUEUES = [next(f"q{n}" for n in range(99) if shard_of_name(f"q{n}", SHARDS) == shard) for shard in range(3)]
NOW = cast(Now, type("At", (), {"steady": 7}))


class Rows:
    """The rows of one shard."""

    def __init__(self) -> None:
        self.rows: dict[str, TenantRow] = {}
        self.notes: dict[str, bytes] = {}

    def tenant_rows(self) -> list[TenantRow]:
        return list(self.rows.values())

    def put_tenant(self, row: TenantRow) -> None:
        self.rows[row.name] = row

    def drop_tenant(self, name: str) -> None:
        del self.rows[name]

    def get_meta(self, name: str) -> bytes | None:
        return self.notes.get(name)

    def set_meta(self, name: str, value: bytes) -> None:
        self.notes[name] = value


class Cluster:
    def __init__(self) -> None:
        self.stores = [Rows() for _ in range(SHARDS)]
        self.parts = [self.part(shard) for shard in range(SHARDS)]
        self.on_the_way: list[Callable[[], None]] = []

    def part(self, shard: int) -> SetTenants:
        part = SetTenants(cast(Store, self.stores[shard]), Shard(shard, SHARDS))
        part.load(cast(Any, None), NOW)
        return part

    def restart(self, shard: int) -> None:
        self.parts[shard] = self.part(shard)

    def runs_at_most(self) -> float:
        caps = [part.here("acme").max_running for part in self.parts]
        return sum(float("inf") if cap is None else cap for cap in caps)

    def answer(self, shard: int, method: str, args: Sequence[Any]) -> Any:
        part = self.parts[shard]
        if method == "plan":
            number, terms = part.plan(*args)
            return [number, terms._asdict()]
        name, changes, *rest = args
        lowers, number = rest or (False, None)
        part.change(name, changes, NOW, lowers=lowers, number=number)
        return {"name": name, "waiting": 0, "running": 0, "held": 0, **part.terms(name)._asdict()}


class Admin:
    """The shards as one program reaches them: each call arrives when it does, also when its program is gone."""

    method = "set"
    numbers = range(SHARDS)

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        answers: dict[int, asyncio.Future[Any]] = {}
        for shard, args in by_shard.items():
            answers[shard] = asyncio.get_running_loop().create_future()
            self._cluster.on_the_way.append(self._arrives(shard, of or self.method, args, answers[shard]))
        found = await asyncio.gather(*answers.values())
        for one in found:
            if isinstance(one, tq.TqError):
                raise one
        return dict(zip(answers, found, strict=True))

    def _arrives(self, shard: int, method: str, args: Sequence[Any], answer: asyncio.Future[Any]) -> Any:
        def arrive() -> None:
            try:
                said = self._cluster.answer(shard, method, args)
            except tq.TqError as error:
                said = error
            if not answer.done():
                answer.set_result(said)

        return arrive


def change(cluster: Cluster, **changes: Any) -> asyncio.Task[Any]:
    made = merges.MERGES["tenant_set"](cast(Any, Admin(cluster)), ("acme", changes))
    return asyncio.get_running_loop().create_task(made)


async def settle(cluster: Cluster, dice: random.Random, look: Callable[[], None]) -> None:
    while True:
        for _ in range(5):
            await asyncio.sleep(0)
        if not cluster.on_the_way:
            return
        cluster.on_the_way.pop(dice.randrange(len(cluster.on_the_way)))()
        look()


CHANGES: list[dict[str, Any]] = [
    {"shards_of": [QUEUES[0]]},
    {"shards_of": [QUEUES[1]]},
    {"shards_of": [QUEUES[1], QUEUES[2]]},
    {"shards_of": []},
    {"weight": 5},
]


@pytest.mark.parametrize("seed", range(40))
def test_of_changes_at_the_same_moment_the_parts_are_never_more_than_the_cap_and_one_holds_in_all_shards(
    seed: int,
) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same cases every time

    async def work() -> None:
        cluster = Cluster()

        def look() -> None:
            assert cluster.runs_at_most() <= 12

        before = change(cluster, max_running=12)
        await settle(cluster, dice, lambda: None)
        await before
        some = [change(cluster, **dice.choice(CHANGES)) for _ in range(dice.randint(2, 4))]
        await settle(cluster, dice, look)
        done = await asyncio.gather(*some, return_exceptions=True)
        assert all(isinstance(one, (dict, tq.InvalidArgument)) for one in done)
        assert any(isinstance(one, dict) for one in done)
        assert len({part.terms("acme") for part in cluster.parts}) == 1
        assert {row["acme"].change for row in (store.rows for store in cluster.stores)} == {len(some) + 1}

    asyncio.run(work())


@pytest.mark.parametrize("seed", range(40))
def test_nor_are_they_when_programs_and_masters_die_in_the_middle(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same cases every time

    async def work() -> None:
        cluster = Cluster()
        before = change(cluster, max_running=12)
        await settle(cluster, dice, lambda: None)
        await before
        some = [change(cluster, **dice.choice(CHANGES)) for _ in range(4)]

        def look() -> None:
            assert cluster.runs_at_most() <= 12
            if dice.random() < 0.2:
                dice.choice(some).cancel()
            if dice.random() < 0.2:
                cluster.restart(dice.randrange(SHARDS))

        await settle(cluster, dice, look)
        await asyncio.gather(*some, return_exceptions=True)
        again = change(cluster, shards_of=[QUEUES[2]])
        await settle(cluster, dice, look)
        await asyncio.gather(again, return_exceptions=True)

    asyncio.run(work())


def test_a_change_that_was_begun_earlier_is_refused_with_what_to_do() -> None:
    part = Cluster().part(0)
    first, terms = part.plan("acme", {"weight": 2})
    second, later = part.plan("acme", {"weight": 3})
    assert (second, later) == (first + 1, TenantTerms(weight=3))
    with pytest.raises(
        tq.InvalidArgument, match=r"was begun after this one, and holds; look at `tq tenants ls`"
    ):
        part.change("acme", terms._asdict(), NOW, number=first)
    part.change("acme", later._asdict(), NOW, number=second)
    part.change("acme", later._asdict(), NOW, number=second)  # the same call again
    assert part.terms("acme") == later


def test_changes_that_were_begun_and_never_made_take_a_bounded_room() -> None:
    part = Cluster().part(0)
    for number in range(PLANNED_MAX + 9):
        part.plan(f"t{number}", {"weight": 2})
    assert len(part._planned) == PLANNED_MAX
