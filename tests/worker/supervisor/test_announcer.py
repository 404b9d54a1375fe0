"""What a worker says of itself to the master of each shard: only its own queues, items and leases."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.shards import shard_of_name, with_shard
from tq.common.errors import ConfigError
from tq.common.runtime.config import Application, WorkerSettings
from tq.common.wire.address import Address
from tq.worker.supervisor.health import WorkerVitals

from .bench import Bench, on_a_bench

SHARDS = 4
QUEUES = [f"queue{number}" for number in range(20)]


def announcer_of(bench: Bench) -> Any:
    return bench.supervisor._announcer


def divide(bench: Bench) -> Any:
    bench.supervisor._masters.welcomed(SHARDS)
    bench.supervisor._masters.stop_connecting()
    return announcer_of(bench)


def test_to_each_shard_the_leases_that_are_its_own_are_named() -> None:
    async def test(bench: Bench) -> None:
        announcer = divide(bench)
        agent, masters = bench.pool.agent, bench.supervisor._masters.all
        ids = [with_shard(7, shard).to_bytes(16, "big") for shard in (1, 3)]
        for id, shard in zip(ids, (1, 3), strict=True):
            agent.granted(b"lease", [["default", "m:f", None, [[id, 1, b"payload"]]]], 0.0, shard)
        held = [[row[0] for row in announcer.announcement(master)[1]] for master in masters]
        assert held == [[], [ids[0]], [], [ids[1]]]

    on_a_bench(test)


def test_health_says_how_many_shards_are_connected_where_there_are_several() -> None:
    async def test(bench: Bench) -> None:
        vitals = WorkerVitals(bench.supervisor)
        assert "shards" not in vitals.facts()
        divide(bench)
        assert {"shards": SHARDS, "shards_connected": 0}.items() <= vitals.facts().items()

    on_a_bench(test)


def test_items_are_taken_from_the_shard_of_their_queue() -> None:
    async def test(bench: Bench) -> None:
        bench.supervisor._announcer._settings = with_apply(results=None)
        announcer = divide(bench)
        named = [
            [row[0] for row in announcer.announcement(master)[0]["apply"]]
            for master in bench.supervisor._masters.all
        ]
        assert named == [
            [one for one in QUEUES if shard_of_name(one, SHARDS) == shard] for shard in range(SHARDS)
        ]
        assert all(named)

    on_a_bench(test)


def test_items_whose_results_go_to_another_shard_are_refused_with_the_line_to_write() -> None:
    async def test(bench: Bench) -> None:
        bench.supervisor._announcer._settings = with_apply(results="done")
        with pytest.raises(ConfigError, match=r"\{shop\}queue\d+ and \{shop\}done"):
            divide(bench)
        bench.supervisor._announcer._settings = with_apply("{shop}one", "{shop}two", results="{shop}done")
        divide(bench)

    on_a_bench(test)


def with_apply(*queues: str, results: str | None) -> WorkerSettings:
    return WorkerSettings(
        connect=(Address("127.0.0.1", 1),),
        modules=("m",),
        slots=1,
        queues=queues or tuple(QUEUES),
        apply=Application("m:f", results),
    )


def test_which_tasks_are_coroutine_functions_is_said_once_on_each_connection_and_when_the_code_has_changed() -> (
    None
):
    async def test(bench: Bench) -> None:
        announcer, runners = announcer_of(bench), bench.pool.runners
        [master] = bench.supervisor._masters.all
        bench.supervisor._masters.stop_connecting()
        beats: list[dict[str, Any]] = []
        master.notify = lambda method, rows, facts: beats.append(facts)  # type: ignore[method-assign]

        def said() -> Any:
            announcer.send_beats()
            return beats[-1].get("coroutines")

        runners.coroutines = {"m:f": True, "m:g": False}
        master.current = first = object()  # type: ignore[assignment]
        assert [said(), said()] == [["m:f"], None]
        runners.coroutines = dict(runners.coroutines)  # another child has loaded the same code
        assert said() is None
        runners.coroutines = {"m:f": False, "m:g": False}
        assert [said(), said()] == [[], None]
        master.current = object()  # type: ignore[assignment]
        assert first is not master.current
        assert [said(), said()] == [[], None]

    on_a_bench(test)
