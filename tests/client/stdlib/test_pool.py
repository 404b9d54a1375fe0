"""The Pool as ``multiprocessing`` documents it, over a master in memory."""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import tq
from tq.client.stdlib.pool_pace import CHUNKS_PER_SLOT
from tq.common.values.codec import decode_work

from .. import jobs
from ..conftest import MasterInMemory

SECONDS = 10


_nothing = threading.Event()  # that no thread sets


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it never was"
        _nothing.wait(0.002)


@pytest.fixture
def pool(master: MasterInMemory) -> Iterator[tq.Pool]:
    for function in (jobs.double, jobs.add, jobs.fail, math.sqrt):
        master.functions[f"{function.__module__}:{function.__qualname__}"] = function
    with tq.Pool(2) as pool:
        yield pool


def test_apply_calls_with_arguments_and_keywords(pool: tq.Pool) -> None:
    assert pool.apply(jobs.double, (4,), {"plus": 1}) == 9
    assert pool.apply_async(math.sqrt, [9.0]).get(SECONDS) == 3.0


@pytest.mark.parametrize("chunksize", [None, 1, 3, 1_000])
def test_maps_keep_the_order(pool: tq.Pool, chunksize: int | None) -> None:
    doubled = [2 * number for number in range(25)]
    assert pool.map(jobs.double, range(25), chunksize) == doubled
    assert pool.map(jobs.double, iter(range(25)), chunksize) == doubled
    assert pool.starmap(jobs.add, zip(range(25), range(25), strict=True), chunksize) == doubled
    assert list(pool.imap(jobs.double, range(25), chunksize or 1)) == doubled
    assert sorted(pool.imap_unordered(jobs.double, range(25), chunksize or 1)) == doubled


def test_nothing_gives_nothing(pool: tq.Pool) -> None:
    assert pool.map(jobs.double, []) == []
    assert list(pool.imap(jobs.double, [])) == []
    assert list(pool.imap_unordered(jobs.double, [])) == []


@pytest.mark.parametrize("chunksize", [1, 2])
def test_arguments_of_starmap_may_come_from_anything_that_can_be_read_once(
    pool: tq.Pool, chunksize: int
) -> None:
    calls = [iter([1, 2]), range(3, 5), (number for number in (5, 6)), {7: "a", 8: "b"}]
    assert pool.starmap(jobs.add, calls, chunksize) == [3, 7, 11, 15]


def test_a_result_is_not_ready_until_it_is(pool: tq.Pool, master: MasterInMemory) -> None:
    master.runs_at_once = False
    result = pool.map_async(jobs.double, range(3))
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        result.get(0.01)
    iterator = pool.imap(jobs.double, [1])
    with pytest.raises(multiprocessing.TimeoutError):
        iterator.next(0.01)
    while not result.ready():  # what the feeder has sent by now
        master.run_all()
        result.wait(0.01)
    assert (result.get(), result.successful()) == ([0, 2, 4], True)


def test_an_exception_is_raised_where_the_result_is_asked_for(pool: tq.Pool) -> None:
    result = pool.apply_async(jobs.fail, ("broken",))
    with pytest.raises(ValueError, match="broken"):
        result.get(SECONDS)
    assert not result.successful()
    with pytest.raises(ValueError, match="a"):
        pool.map(jobs.fail, ["a", "b"])


def test_imap_goes_on_behind_a_failed_item(pool: tq.Pool) -> None:
    results = pool.imap(math.sqrt, [4.0, -1.0, 9.0])
    assert next(results) == 2.0
    with pytest.raises(ValueError, match="math domain error"):
        next(results)
    assert next(results) == 3.0
    with pytest.raises(StopIteration):
        next(results)


def test_callbacks_get_the_result_or_the_error(pool: tq.Pool) -> None:
    values: list[object] = []
    called = threading.Semaphore(0)

    def note(value: object) -> None:
        values.append(value)
        called.release()

    pool.map_async(jobs.double, [1, 2], callback=note)
    assert called.acquire(timeout=SECONDS)
    pool.apply_async(jobs.fail, ("broken",), callback=note, error_callback=note)
    assert called.acquire(timeout=SECONDS)
    assert values[0] == [2, 4]
    assert isinstance(values[1], ValueError)


def test_a_callback_that_raises_does_no_harm(pool: tq.Pool, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("in a callback")

    assert pool.apply_async(jobs.double, (1,), callback=broken).get(SECONDS) == 2
    assert pool.apply(jobs.double, (2,)) == 4
    assert "in a callback" in caplog.text


def test_an_item_that_cannot_travel_is_its_results_error_and_says_which(pool: tq.Pool) -> None:
    with pytest.raises(tq.NotSerializable, match=r"item 3"):
        pool.map(jobs.double, [1, 2, 3, object()], chunksize=2)
    results = pool.imap(jobs.double, [1, object(), 3])
    assert next(results) == 2
    with pytest.raises(tq.NotSerializable):
        next(results)
    assert next(results) == 6


def test_an_iterable_that_breaks_breaks_its_imap_behind_what_it_gave(pool: tq.Pool) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    results = pool.imap(jobs.double, numbers())
    assert next(results) == 2
    with pytest.raises(LookupError, match="no more"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)
    assert pool.apply(jobs.double, (1,)) == 2


def test_imap_takes_an_iterable_without_end(pool: tq.Pool) -> None:
    results = pool.imap(jobs.double, itertools.count(), chunksize=10)
    assert list(itertools.islice(results, 25)) == [2 * number for number in range(25)]
    pool.terminate()


@pytest.fixture
def short_rope(monkeypatch: pytest.MonkeyPatch) -> int:
    """Of an imap so many chunks of one are sent further than its results were taken, and never as many as are returned."""
    for name, value in {"UNTAKEN_ITEMS_MAX": 8, "UNTAKEN_CHUNKS_MIN": 8, "TURN_CHUNKS": 2}.items():
        monkeypatch.setattr(f"tq.client.stdlib.pool_feeder.{name}", value)
    return 10


def test_an_iterable_without_end_is_read_as_its_results_are_taken_and_delays_no_other(
    pool: tq.Pool, short_rope: int
) -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    results = pool.imap(jobs.double, numbers(), 1)
    unordered = pool.imap_unordered(jobs.double, itertools.count(), 1)
    for taken in range(1, 50):
        assert next(results) == 2 * (taken - 1)
        next(unordered)
        assert pool.map(jobs.double, [1, 2]) == [2, 4]  # behind two that have no end
        assert len(read) < taken + short_rope


@pytest.mark.parametrize("is_held", [True, False])
def test_who_joins_a_pool_waits_for_all_of_an_imap_taken_or_not(
    pool: tq.Pool, master: MasterInMemory, short_rope: int, is_held: bool
) -> None:
    results = pool.imap(jobs.double, range(100)) if is_held else None
    if not is_held:
        pool.imap_unordered(jobs.double, range(100))
    pool.close()
    pool.join()
    assert sum(sent_sizes(master)) == 100
    assert results is None or list(results) == [2 * number for number in range(100)]


def test_an_imap_that_is_dropped_is_done_all_the_same(
    pool: tq.Pool, master: MasterInMemory, short_rope: int
) -> None:
    done = threading.Event()

    def numbers() -> Iterator[int]:
        yield from range(100)
        done.set()

    results = pool.imap(jobs.double, numbers())
    assert next(results) == 0
    assert pool.map(jobs.double, [1]) == [2]
    del results
    assert done.wait(SECONDS)


def test_terminate_ends_an_imap_that_rests(pool: tq.Pool, short_rope: int) -> None:
    results = pool.imap(jobs.double, itertools.count())
    assert pool.map(jobs.double, [1]) == [2]
    pool.terminate()
    pool.join()
    with pytest.raises(RuntimeError, match="terminated"):
        list(results)


def test_terminate_fails_the_waits_behind_an_iterable_that_blocks(
    pool: tq.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.stdlib.pool_feeder.CANCEL_SECONDS", 0.1)
    blocks, is_blocking = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        is_blocking.set()
        blocks.wait()

    results = pool.imap(jobs.double, numbers())
    assert next(results) == 2
    assert is_blocking.wait(SECONDS)
    behind = [pool.imap_unordered(jobs.double, [1]), pool.map_async(jobs.double, [1, 2])]
    pool.terminate()
    pool.join()
    for wait in (lambda: next(results), lambda: next(behind[0]), lambda: behind[1].get()):  # type: ignore[call-overload, union-attr]
        with pytest.raises(RuntimeError, match="terminated"):
            wait()
    assert list(results) == []
    blocks.set()


def test_a_closed_pool_takes_nothing_and_finishes_what_it_has(pool: tq.Pool) -> None:
    with pytest.raises(ValueError, match="Pool is still running"):
        pool.join()
    results = pool.imap(jobs.double, range(100))
    pool.close()
    pool.join()
    assert list(results) == [2 * number for number in range(100)]
    for call in (pool.apply_async, pool.map_async, pool.imap, pool.starmap_async):
        with pytest.raises(ValueError, match="Pool not running"):
            call(jobs.double, [1])  # type: ignore[operator]


def test_terminate_cancels_and_fails_the_waits(pool: tq.Pool, master: MasterInMemory) -> None:
    master.runs_at_once = False
    result = pool.map_async(jobs.double, range(10), chunksize=1)
    single = pool.apply_async(jobs.double, (1,))
    pool.terminate()
    pool.join()
    for one in (result, single):
        with pytest.raises(RuntimeError, match="terminated"):
            one.get(SECONDS)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"processes": 0}, ValueError, "Number of processes must be at least 1"),
        ({"initializer": print}, tq.InvalidArgument, "where the function's module is imported"),
        ({"maxtasksperchild": 3}, tq.InvalidArgument, "--max-tasks-per-child"),
    ],
)
def test_what_a_pool_cannot_do_it_says_at_once(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        tq.Pool(**options)  # type: ignore[arg-type]


def test_a_chunk_size_below_one_is_refused(pool: tq.Pool) -> None:
    with pytest.raises(ValueError, match=r"Chunksize must be 1\+, not 0"):
        pool.imap(jobs.double, [1], 0)


def test_a_lambda_is_refused_with_the_line_to_write(pool: tq.Pool) -> None:
    with pytest.raises(tq.NotNamed, match="write: def job"):
        pool.map(lambda x: x, [1])


def test_a_pool_that_is_forgotten_warns_as_the_standard_one_does(master: MasterInMemory) -> None:
    pool = tq.Pool(1)
    with pytest.warns(ResourceWarning, match="unclosed running multiprocessing pool"):
        pool.__del__()
    with pytest.raises(ValueError, match="Pool not running"):
        pool.map(jobs.double, [1])


def sent_sizes(master: MasterInMemory) -> list[int]:
    """The items of each chunk, in the order of sending."""
    return [len(decode_work(task["payload"])[0]) for task in list(master.tasks.values())]


def test_without_a_chunk_size_chunks_begin_as_single_items_and_grow_with_the_pace(
    pool: tq.Pool, master: MasterInMemory
) -> None:
    count = 100_000
    assert pool.map(jobs.double, range(count)) == [2 * number for number in range(count)]
    sizes = sent_sizes(master)
    assert sum(sizes) == count
    assert sizes[0] == 1
    assert max(sizes) > 10
    before = len(sizes)
    assert pool.starmap(jobs.add, [(number, 1) for number in range(50_000)])[-1] == 50_000
    assert sum(sent_sizes(master)[before:]) == 50_000


def test_a_given_chunk_size_of_1_stays_1(pool: tq.Pool, master: MasterInMemory) -> None:
    pool.map(jobs.double, range(500), 1)
    list(pool.imap(jobs.double, range(500), 1))
    assert sent_sizes(master) == [1] * 1_000


@pytest.mark.parametrize("items", [range, lambda count: iter(range(count))])
def test_without_a_chunk_size_an_imap_follows_the_pace_as_well(
    pool: tq.Pool, master: MasterInMemory, items: Callable[[int], Iterable[int]]
) -> None:
    count = 30_000
    assert list(pool.imap(jobs.double, items(count))) == [2 * number for number in range(count)]
    sizes = sent_sizes(master)
    assert sum(sizes) == count
    assert sizes[0] == 1
    assert max(sizes) > 10
    unordered = pool.imap_unordered(jobs.double, items(count))
    assert sorted(unordered) == [2 * number for number in range(count)]


def test_what_an_item_of_an_imap_raises_is_its_own_and_all_others_have_their_results(
    pool: tq.Pool, master: MasterInMemory
) -> None:
    def picky(number: int) -> int:
        if number % 100 == 7:
            raise KeyError(number)
        if number % 100 == 8:
            raise StopIteration
        return number

    master.functions["tests.client.jobs:double"] = picky
    items: list[object] = [*range(3_000)]
    items[2_550] = object()  # cannot be sent
    seen: list[object] = []
    results = pool.imap(jobs.double, items)
    while len(seen) < len(items):
        try:
            seen.append(next(results))
        except KeyError as error:
            seen.append(("KeyError", *error.args))
        except StopIteration:
            seen.append("StopIteration")
        except tq.NotSerializable as error:
            seen.append(str(error).partition(":")[0])
    expected: list[object] = [*range(3_000)]
    for hundred in range(0, 3_000, 100):
        expected[hundred + 7], expected[hundred + 8] = ("KeyError", hundred + 7), "StopIteration"
    expected[2_550] = "item 2550"
    assert seen == expected
    assert list(results) == []
    assert max(sent_sizes(master)) > 1


@pytest.mark.parametrize(
    "options",
    [{"retries": 1}, {"timeout": 60}, {"delivery": "at_most_once"}],
    ids=lambda options: next(iter(options)),
)
def test_items_are_tasks_of_their_own_where_an_option_is_about_each(
    master: MasterInMemory, options: dict[str, Any]
) -> None:
    master.functions["tests.client.jobs:double"] = jobs.double
    with tq.Pool(2, **options) as pool:
        assert list(pool.imap(jobs.double, range(500))) == [2 * number for number in range(500)]
    assert sent_sizes(master) == [1] * 500


@pytest.mark.parametrize("unordered", [False, True])
def test_an_iterable_may_wait_for_the_results_of_its_own_items(pool: tq.Pool, unordered: bool) -> None:
    taken: queue.SimpleQueue[int] = queue.SimpleQueue()

    def numbers() -> Iterator[int]:
        yield 1
        for count in range(1, 300):  # then as many together as have a result
            for _ in range(count % 5):
                yield taken.get(timeout=SECONDS) // 2 + 1

    imap = pool.imap_unordered if unordered else pool.imap
    seen = []
    for result in imap(jobs.double, numbers()):
        seen.append(result)
        for _ in range(2):
            taken.put(result)
    assert len(seen) == 1 + sum(count % 5 for count in range(1, 300))


def test_items_that_have_gathered_are_sent_while_the_next_one_is_waited_for(
    pool: tq.Pool, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    more = threading.Event()

    def numbers() -> Iterator[int]:
        yield from range(5)
        more.wait(SECONDS)
        yield 5

    results = pool.imap(jobs.double, numbers())
    seen: list[int] = []
    while len(seen) < 5:
        wait_until(lambda: any(task["state"] < 10 for task in list(master.tasks.values())))
        before = len(master.tasks)
        master.run_all()
        with contextlib.suppress(multiprocessing.TimeoutError):
            while True:
                seen.append(results.next(0.05))
        assert before <= len(master.tasks)
    assert seen == [0, 2, 4, 6, 8]
    more.set()
    master.runs_at_once = True
    wait_until(lambda: sum(sent_sizes(master)) == 6)
    master.run_all()
    assert list(results) == [10]


def test_an_endless_imap_that_follows_the_pace_is_read_as_its_results_are_taken(
    pool: tq.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.stdlib.pool_feeder.UNTAKEN_ITEMS_MAX", 64)
    monkeypatch.setattr("tq.client.stdlib.pool_feeder.UNTAKEN_ITEMS_MIN", 1)
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    results = pool.imap(jobs.double, numbers())
    for taken in range(1, 2_000):
        assert next(results) == 2 * (taken - 1)
        assert len(read) <= taken + 2 * 64


def test_without_a_chunk_size_a_few_chunks_are_sent_ahead_and_the_others_as_these_end(
    pool: tq.Pool, master: MasterInMemory
) -> None:
    master.runs_at_once = False
    result = pool.map_async(jobs.double, range(100))
    ahead = 2 * CHUNKS_PER_SLOT
    while not result.ready():
        wait_until(lambda: any(task["state"] < 10 for task in list(master.tasks.values())) or result.ready())
        assert sum(task["state"] < 10 for task in list(master.tasks.values())) <= ahead
        master.run_all()
    assert result.get(SECONDS) == [2 * number for number in range(100)]


def test_a_map_that_follows_the_pace_is_sent_to_its_end_by_join(
    pool: tq.Pool, master: MasterInMemory
) -> None:
    result = pool.map_async(jobs.double, range(3_000))
    pool.close()
    pool.join()
    assert result.get(0) == [2 * number for number in range(3_000)]


def test_errors_in_chunks_of_a_pace_are_those_of_their_items(pool: tq.Pool, master: MasterInMemory) -> None:
    with pytest.raises(ValueError, match="no good"):
        pool.map(jobs.fail, ["no good"] * 40)
    with pytest.raises(tq.NotSerializable, match=r"item 30\b"):
        pool.map(jobs.double, [*range(30), object(), *range(30)])

    def broken() -> Iterator[int]:
        yield from range(30)
        raise KeyError("out of items")

    class Items:
        def __len__(self) -> int:
            return 60

        def __iter__(self) -> Iterator[int]:
            return broken()

    with pytest.raises(KeyError, match="out of items"):
        pool.map(jobs.double, Items())


def test_terminate_ends_a_map_that_waits_for_its_pace(pool: tq.Pool, master: MasterInMemory) -> None:
    master.runs_at_once = False
    result = pool.map_async(jobs.double, range(1_000))
    wait_until(lambda: len(master.tasks) >= 2 * CHUNKS_PER_SLOT)
    pool.terminate()
    pool.join()
    with pytest.raises(RuntimeError, match="the pool was terminated"):
        result.get(SECONDS)


def test_a_pace_follows_the_slots_of_the_cluster(
    master: MasterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that come while a map is sent get work: here none is connected when it begins."""
    monkeypatch.setattr("tq.client.stdlib.pool_feeder.SLOTS_SECONDS", 0.0)
    slots = [0]
    master._get_workers_list = lambda _: [  # type: ignore[attr-defined]
        {"slots": slots[0], "connected": True},
        {"slots": 64, "connected": False},
    ]
    master.functions["tests.client.jobs:double"] = jobs.double
    master.runs_at_once = False
    with tq.Pool() as pool:
        result = pool.map_async(jobs.double, range(1_000))
        wait_until(lambda: len(master.tasks) == CHUNKS_PER_SLOT)
        slots[0] = 10
        master.run_all()
        wait_until(
            lambda: sum(task["state"] < 10 for task in list(master.tasks.values())) == 10 * CHUNKS_PER_SLOT
        )
        master.runs_at_once = True
        master.run_all()
        assert result.get(SECONDS) == [2 * number for number in range(1_000)]
