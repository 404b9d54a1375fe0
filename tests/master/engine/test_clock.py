"""What the wall's clock may do to tasks: nothing, unless they were submitted with at=."""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tq import master
from tq.common.domain.model import StateNumber
from tq.common.errors import StoreError, UnknownTask
from tq.common.values.failure import Failure
from tq.common.wire.frames import pack, unpack
from tq.master.blobs.blobs import KEEP_MS
from tq.master.engine.clock import JUMP_MS, SEEN_IDLE_MS, Timeline, read_clock
from tq.master.items.put_numbers import PUTTER_TTL_MS
from tq.master.store.sqlite.store import SqliteStore
from tq.master.tasks.leases import Leases

from .test_engine import ERROR, lease, row, state, submit

HOUR, DAY = 3_600, 24 * 3_600
JUMPS = (-8 * DAY, -HOUR, HOUR, 8 * DAY)
Bench = Any


def set_clock(bench: Bench, seconds: float) -> None:
    bench.set_clock(seconds)
    bench.step()


def failing() -> None:
    raise StoreError("the store says: disk I/O error")


def restarted(bench: Bench, make_bench: Callable[..., Bench], seconds: float) -> Bench:
    """The next life on the same store, ``seconds`` later by the wall."""
    after = make_bench(bench.engine.store)
    after.now = bench.now
    after.set_clock(seconds)
    after.engine.start(after.now)
    return after


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_delay_is_as_long_as_it_was_however_the_clock_is_set(bench: Bench, seconds: int) -> None:
    client = bench.client()
    [id] = submit(client, b"", delay=30)
    set_clock(bench, seconds)
    bench.advance(29)
    assert state(client, id) == StateNumber.SCHEDULED
    bench.advance(2)
    assert state(client, id) == StateNumber.READY


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_pause_before_a_retry_is_as_long_as_it_was(bench: Bench, seconds: int) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", retries=1, backoff=10)
    lease_id, _ = lease(worker)
    worker.call(
        "get_dispatcher", "finish", [row(id, 1, lease_id, ERROR, Failure("E", "").encode(), after=0.3)]
    )
    set_clock(bench, seconds)
    assert state(client, id) == StateNumber.SCHEDULED
    bench.advance(0.3)
    assert state(client, id) == StateNumber.READY


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_task_expires_after_its_time_and_not_when_the_clock_is_set(bench: Bench, seconds: int) -> None:
    client = bench.client()
    [id] = submit(client, b"", expires=60)
    set_clock(bench, seconds)
    bench.advance(59)
    assert state(client, id) == StateNumber.READY
    bench.advance(2)
    assert state(client, id) == StateNumber.EXPIRED


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_result_is_kept_as_long_as_was_promised(bench: Bench, seconds: int) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id)])
    set_clock(bench, seconds)
    bench.advance(60)
    assert state(client, id) == StateNumber.SUCCEEDED
    bench.now = bench.now._replace(wall=bench.now.wall + 7 * DAY * 1000, mono=bench.now.mono + 7 * DAY * 1000)
    bench.step()
    with pytest.raises(UnknownTask):
        client.call("get_tasks", "show", id)


def test_an_instant_is_the_walls(bench: Bench) -> None:
    client = bench.client()
    at = bench.now.wall / 1000 + HOUR
    [id] = submit(client, b"", at=at)
    assert client.call("get_tasks", "show", id)["due"] == at
    set_clock(bench, -HOUR)
    bench.advance(HOUR + 60)
    assert state(client, id) == StateNumber.SCHEDULED
    assert "it waits 59 min more" in client.call("get_tasks", "show", id)["why"]
    set_clock(bench, HOUR)
    assert state(client, id) == StateNumber.READY


def test_instants_and_delays_that_are_due_together_are_all_ready(bench: Bench) -> None:
    client = bench.client()
    ids = submit(client, b"1", b"2", delay=5) + submit(client, b"3", at=bench.now.wall / 1000 + 5)
    bench.advance(5)
    assert {state(client, id) for id in ids} == {StateNumber.READY}
    assert client.call("get_queues", "list")[0]["ready"] == 3


def test_the_engine_wakes_for_the_nearest_of_delays_and_instants_after_a_jump(bench: Bench) -> None:
    client = bench.client()
    submit(client, b"", delay=10)  # before the point of the series that a change brings
    set_clock(bench, -HOUR)
    assert bench.engine.next_wakeup() == bench.now.mono + 10_000
    submit(client, b"", at=bench.now.wall / 1000 + 5)
    assert bench.engine.next_wakeup() == bench.now.mono + 5_000


@pytest.mark.parametrize(("seconds", "direction"), [(-HOUR, "back"), (8 * DAY, "forward")])
def test_a_jump_is_logged_once_with_its_size_and_direction(
    bench: Bench, seconds: int, direction: str
) -> None:
    set_clock(bench, seconds)
    bench.advance(60)
    fields = {"level": "warning", "direction": direction, "seconds": abs(seconds)}
    assert bench.reports == [("clock.jumped", fields)]


def test_nothing_ends_in_the_tick_that_notices_a_jump(bench: Bench) -> None:
    client = bench.client()
    [id] = submit(client, b"", expires=60)
    bench.now = bench.now._replace(mono=bench.now.mono + 61_000)  # it passed, and the wall says nothing of it
    bench.step()
    [row] = bench.engine.store.find([id])
    assert row.state == StateNumber.READY
    assert bench.engine.next_wakeup() <= bench.now.mono
    bench.step()
    assert state(client, id) == StateNumber.EXPIRED


def test_a_clock_that_is_slewed_is_followed_without_a_word(bench: Bench) -> None:
    client = bench.client()
    [id] = submit(client, b"", delay=100)
    for _ in range(50):
        bench.set_clock(-JUMP_MS / 2000)
        bench.advance(1)
    assert not bench.reports
    assert bench.engine.now.shift == 0
    assert state(client, id) == StateNumber.SCHEDULED
    assert bench.engine.next_wakeup() == bench.now.mono + 75_000


def test_a_host_that_slept_has_let_time_pass_but_no_lease(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [running] = submit(client, b"")
    lease(worker)
    [delayed] = submit(client, b"", task="m:g", delay=HOUR)
    [waiting] = submit(client, b"", task="m:g", expires=HOUR)
    bench.reports.clear()
    bench.let_host_sleep(8 * HOUR)
    bench.step()
    assert not bench.reports
    assert running in bench.engine.part(Leases).running
    assert [state(client, id) for id in (delayed, waiting)] == [StateNumber.READY, StateNumber.EXPIRED]


def test_a_host_whose_sleep_no_clock_counts_has_let_no_time_pass(bench: Bench) -> None:
    """A virtual machine that was stopped: its wall is set when it goes on."""
    client = bench.client()
    [delayed] = submit(client, b"", delay=HOUR)
    set_clock(bench, 8 * HOUR)
    assert state(client, delayed) == StateNumber.SCHEDULED


def test_ages_and_moments_that_people_see_move_with_the_clock(bench: Bench) -> None:
    client = bench.client()
    [id] = submit(client, b"")
    bench.advance(60)
    set_clock(bench, -HOUR)
    wall = bench.now.wall / 1000
    assert client.call("get_tasks", "show", id)["created"] == wall - 60
    assert client.call("get_queues", "list")[0]["oldest_ready_seconds"] == 60
    assert client.call("get_master", "info")["wall"] == wall
    assert len(client.call("get_tasks", "list", {"since": wall - 70})) == 1
    assert client.call("get_tasks", "list", {"since": wall - 50}) == []
    assert client.call("get_tasks", "select", {"since": wall - 70, "until": wall - 50})["states"] == [[0, 1]]


@pytest.mark.parametrize("seconds", JUMPS)
def test_what_putters_and_unnamed_content_are_remembered_by_does_not_jump(bench: Bench, seconds: int) -> None:
    """A put that comes twice is known for a day, content that no task names yet is kept for one."""
    assert max(PUTTER_TTL_MS, KEEP_MS) < 8 * DAY * 1000
    store = bench.engine.store
    store.begin()
    store.blobs.put(b"h" * 32, 1, bench.now.wall + KEEP_MS)
    store.items.put_putters([(1, b"p" * 16, 1, bench.now.wall)])
    store.commit()
    set_clock(bench, seconds)
    bench.advance(300)
    assert store._run("SELECT count(*) FROM putters") == [(1,)]
    assert store._run("SELECT count(*) FROM blobs") == [(1,)]


# across restarts


def test_a_jump_that_was_noticed_is_known_to_the_next_life(make_bench: Any) -> None:
    bench = make_bench()
    [id] = submit(bench.client(), b"", delay=100)
    set_clock(bench, -HOUR)
    after = restarted(bench, make_bench, 10)
    after.advance(89)
    assert state(after.client(), id) == StateNumber.SCHEDULED
    after.advance(2)
    assert state(after.client(), id) == StateNumber.READY
    assert not after.reports


def test_a_clock_set_back_while_no_master_ran_costs_a_delay_that_time_and_no_more(make_bench: Any) -> None:
    bench = make_bench()
    [id] = submit(bench.client(), b"", delay=100)
    bench.advance(SEEN_IDLE_MS / 1000 / 10)
    submit(bench.client(), b"")
    after = restarted(bench, make_bench, -8 * DAY)
    assert [action for action, _ in after.reports][-1] == "clock.behind"
    after.advance(39)
    assert state(after.client(), id) == StateNumber.SCHEDULED
    after.advance(2)
    assert state(after.client(), id) == StateNumber.READY
    submit(after.client(), b"")
    again = restarted(after, make_bench, 1)
    assert not again.reports, "the clock that it goes by was written"


def test_the_first_rows_bring_the_time_that_they_are_kept_by(bench: Bench) -> None:
    """A master that is killed right after them begins in the same time, however the clock was set meanwhile."""
    store = bench.engine.store
    bench.step()
    assert store.get_meta("clock") is None, "nothing is written for a start alone"
    bench.step(commit=failing)
    submit(bench.client(), b"", delay=100)
    assert unpack(store.get_meta("clock")) == [0, bench.now.steady]


def test_an_idle_master_writes_how_late_it_is_every_ten_minutes(bench: Bench) -> None:
    store, written = bench.engine.store, []
    submit(bench.client(), b"")
    for _ in range(40):
        bench.advance(60)
        written.append(store.get_meta("clock"))
    assert len(set(written[:9])) == 1
    assert len(set(written)) == 4, "with the point of the series behind the task, and three"


def test_a_jump_in_a_transaction_that_failed_is_not_forgotten(bench: Bench) -> None:
    client = bench.client()
    [id] = submit(client, b"", delay=30)

    bench.set_clock(-HOUR)
    assert bench.step(commit=failing).failed
    bench.engine.store.rollback()
    client = bench.client()
    bench.advance(31)
    assert state(client, id) == StateNumber.READY
    assert [action for action, _ in bench.reports].count("clock.jumped") == 1


def test_readers_are_answered_while_a_jump_cannot_be_written(bench: Bench) -> None:
    bench.set_clock(HOUR)
    bench.step(commit=failing)
    bench.engine.store.rollback()
    assert bench.client().call("get_master", "info")["wall"] == bench.now.wall / 1000
    assert not bench.step(commit=failing).changed


def test_an_older_store_distinguishes_instants_from_delays(tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    SqliteStore(file).close()
    folder = resources.files(master).joinpath("store/sqlite/migrations")
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".sql"))
    number = next(index for index, name in enumerate(names, 1) if name.endswith("_instants.sql"))
    file.unlink()
    with sqlite3.connect(file, isolation_level=None) as db:
        for name in names[: number - 1]:
            db.executescript(folder.joinpath(name).read_text("utf-8"))
        db.execute(f"PRAGMA user_version = {number - 1}")
        rows = [
            (1, {"at": 5.0}, 0, 5_000),
            (2, {"delivery": "at_most_once"}, 0, 6_000),
            (3, {"at": 1.0}, 1, 7_000),
        ]
        db.executemany(
            "INSERT INTO tasks (seq, id, lane, state, priority, attempt, failures, crashes, cancel, created, due, options, payload)"
            " VALUES (?, ?, 1, 1, 0, ?, 0, 0, 0, 1, ?, ?, x'')",
            [(seq, bytes([seq]) * 16, attempt, due, pack(options)) for seq, options, attempt, due in rows],
        )
    db.close()
    store = SqliteStore(file)
    assert (store.next_at(), store.next_due()) == (5_000, 6_000)
    store.close()


# reading


def test_the_clock_is_read_three_ways_that_agree() -> None:
    first = read_clock()
    assert first.asleep >= -1
    timeline = Timeline(SqliteStore(None, "memory"), lambda *_, **__: pytest.fail("nothing jumped"))
    timeline.load()
    timeline.start(first)
    second = timeline.look(read_clock())
    assert 0 <= second.steady - first.wall < 10_000
    assert second.shown(second.steady) == second.wall / 1000


WALL = {  # who means the wall's clock, and why
    "app.py": "since when it runs, for people",
    "cluster_identity.py": "since when a master runs, for people",
    "engine/clock.py": "compares it",
    "engine/agenda.py": "at=",
    "keys/revoked_leaves.py": "certificates say when they were made by the wall's",
    "tasks/scheduled.py": "at=",
    "items/consumers.py": "ids are made of it, as clients make theirs",
    "tasks/plan.py": "at=",
    "dependencies/decisions.py": "at=",
    "task_parts.py": "a start has other numbers than one from before, though its store is an older copy",
    "observe/calls.py": "what clients compare theirs with",
    "tasks/attempt_output.py": "when progress was reported, for people",
    "observe/overview.py": "for people",
    "engine/presence.py": "when a worker was last seen, for people",
    "tasks/explain.py": "at=",
    "schedules/schedules.py": "a schedule is due by the wall's, as at= is",
    "schedules/occurrences.py": "the same",
    "schedules/calls.py": "the same",
}


def test_no_other_module_reads_the_walls_clock() -> None:
    """What is compared or kept is on the steady clock: ``now.steady``."""
    root = Path(str(resources.files(master)))
    users = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("wall", "time_ns", "utcnow")
    }
    assert users <= WALL.keys(), (
        "a moment that is compared or kept is now.steady; people are shown now.shown(it)"
    )
