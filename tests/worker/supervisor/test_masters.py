"""The connections of a worker: one for each shard, as soon as it is known how many there are; rows go to the shard of their task."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tq.common.domain.shards import with_shard
from tq.common.errors import ConfigError, ProtocolError
from tq.worker.supervisor import masters as module
from tq.worker.supervisor.masters import OPENING_MAX

from .test_relays import Desk


def id_of(shard: int, number: int = 1) -> bytes:
    return with_shard(number, shard).to_bytes(16, "big")


def test_the_first_welcome_says_how_many_there_are_and_another_number_is_refused() -> None:
    async def story() -> None:
        desk = Desk(shards=3)
        masters = desk.masters
        assert [one.shard for one in masters.all] == [0, 1, 2]
        assert masters.owner.divided == 3  # type: ignore[attr-defined]
        masters.welcomed(3)
        assert len(masters.all) == 3
        with pytest.raises(ProtocolError, match=r"8 shards and had 3.*restart the worker"):
            masters.welcomed(8)

    asyncio.run(story())


def test_with_one_shard_nothing_is_divided() -> None:
    async def story() -> None:
        masters = Desk(shards=1).masters
        assert (masters.are_several, masters.owner.divided) == (False, 0)  # type: ignore[attr-defined]
        rows = [[id_of(7), 1, b"lease"]]
        assert masters.of_rows(rows) == [(masters.first, rows)]
        assert masters.of_task(id_of(7)) is masters.first

    asyncio.run(story())


def test_rows_of_tasks_and_of_runs_are_parted_by_shard_in_their_order() -> None:
    async def story() -> None:
        masters = Desk(shards=3).masters
        rows: list[list[Any]] = [
            [id_of(2, 5), 1, b"lease"],
            [[id_of(0, 9), 4], 1, b"lease"],
            [id_of(2, 1), 1, b"lease"],
        ]
        assert masters.of_rows(rows) == [(masters.all[2], [rows[0], rows[2]]), (masters.first, [rows[1]])]
        assert masters.rows_of(masters.all[2], rows) == [rows[0], rows[2]]

    asyncio.run(story())


def test_a_worker_that_cannot_serve_several_shards_connects_to_none_of_them() -> None:
    async def story() -> None:
        desk = Desk(shards=1)
        masters = desk.masters
        masters.shards = 0

        def refuse(shards: int) -> None:
            raise ConfigError("its items are in two shards")

        masters.owner.divide = refuse  # type: ignore[method-assign]
        with pytest.raises(ConfigError):
            masters.welcomed(2)
        assert (len(masters.all), masters.shards) == (1, 0)

    asyncio.run(story())


def test_connections_are_made_a_few_at_a_time_and_none_waits_for_its_turn_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A master closes what comes as a flood from one address; one that never answers must hold up no other."""

    async def story() -> None:
        masters, opening, gate = Desk(shards=1).masters, 0, asyncio.Event()
        more = asyncio.Event()

        async def open_one() -> None:
            nonlocal opening
            async with masters.turn():
                opening += 1
                if opening > OPENING_MAX:
                    more.set()
                await gate.wait()

        tasks = [asyncio.create_task(open_one()) for _ in range(3 * OPENING_MAX)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert opening == OPENING_MAX
        monkeypatch.setattr(module, "TURN_SECONDS", 0.0)
        late = asyncio.create_task(open_one())
        await more.wait()
        gate.set()
        await asyncio.gather(*tasks, late)
        assert opening == 3 * OPENING_MAX + 1

    asyncio.run(story())
