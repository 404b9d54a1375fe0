"""Ids by kinds: what a program submits one after the other has consecutive ids."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any, cast

import pytest
import tq
from tq.client.core.session import ClientSession
from tq.client.tasks.kinds import KINDS_MAX, TaskKinds
from tq.client.tasks.options import choose
from tq.common.domain.ids import COMPUTED, parse_id

from .. import jobs
from ..conftest import MasterInMemory


class OneShard:
    """A session, as far as kinds ask it."""

    shards = known_shards = 1


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    task = app.task(jobs.double)
    master.functions[task.name] = jobs.double
    return task


def numbers(handles: Any) -> list[int]:
    return [int.from_bytes(parse_id(handle.id), "big") for handle in handles]


def are_consecutive(ids: list[int]) -> bool:
    return ids == list(range(ids[0], ids[0] + len(ids)))


def test_single_submits_of_one_kind_have_consecutive_ids_though_kinds_alternate(double: Any) -> None:
    kinds = [double, double.using(priority=1), double.using(queue="other")]
    handles = [[kind.submit(1) for kind in kinds] for _ in range(10)]
    for column in zip(*handles, strict=True):
        assert are_consecutive(numbers(column))


def test_the_same_options_given_again_are_the_same_kind(app: tq.App, double: Any) -> None:
    handles = [double.using(retries=2).submit(number) for number in range(5)]
    handles += [app.named(double.name, retries=2).submit(7)]
    assert are_consecutive(numbers(handles))


def test_a_batch_and_an_event_loop_continue_the_ids_of_the_kind(app: tq.App, double: Any) -> None:
    async def submit() -> list[Any]:
        return await asyncio.gather(*(double.asubmit(number) for number in range(5)))

    handles = [double.submit(1)]
    with app.batch():
        handles += [double.submit(number) for number in range(5)]
    handles += asyncio.run(submit())
    assert are_consecutive(numbers(handles))


def test_a_map_has_consecutive_ids_whatever_other_threads_submit(double: Any) -> None:
    stop = threading.Event()

    def submit() -> None:
        while not stop.is_set():
            double.submit(1)

    other = threading.Thread(target=submit)
    other.start()
    try:
        handles = double.map(range(5_000))
    finally:
        stop.set()
        other.join()
    assert are_consecutive(numbers(handles))


def test_the_id_of_a_key_stands_alone(double: Any) -> None:
    first, keyed, second = double.submit(1), double.using(key="k").submit(1), double.submit(1)
    assert parse_id(keyed.id) >= COMPUTED
    assert are_consecutive(numbers([first, second]))


def test_futures_and_chunks_of_a_pool_have_consecutive_ids(app: tq.App, master: MasterInMemory) -> None:
    master.functions["tests.client.jobs:double"] = jobs.double
    with tq.Executor(app=app) as executor:
        futures = [executor.submit(jobs.double, number) for number in range(100)]
        ids = [cast(Any, future).task for future in futures]
    assert are_consecutive([int.from_bytes(id, "big") for id in ids])
    before = len(master.tasks)
    with tq.Pool(app=app) as pool:
        assert list(pool.imap(jobs.double, range(50), chunksize=5)) == [2 * number for number in range(50)]
    chunks = [int.from_bytes(id, "big") for id in itertools.islice(master.tasks, before, None)]
    assert len(chunks) == 10
    assert are_consecutive(chunks)


def test_kinds_are_remembered_up_to_a_number_and_the_ones_used_last_the_longest() -> None:
    kinds = TaskKinds(cast(ClientSession, OneShard()))
    used, unused = (kinds.of("m:f", choose({"priority": priority})) for priority in (1, 2))
    for number in range(KINDS_MAX):
        kinds.of("m:f", choose({"at": 1e9 + number}))
        assert kinds.of("m:f", choose({"priority": 1})) is used
    assert kinds.of("m:f", choose({"priority": 2})) is not unused
