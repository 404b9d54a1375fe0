"""A store that fails: who is answered all the same, what is tried again and when, what is said of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber
from tq.common.errors import StoreError
from tq.master.engine.clock import Now
from tq.master.engine.trouble import LOG_EVERY_MS, PAUSE_MS_MAX, PAUSE_MS_MIN, Chore, Trouble, Turn
from tq.master.store.sqlite.store import SqliteStore

TOKEN = b"t" * 16
NOTHING_WRITTEN = "attempt to write a readonly database"
MALFORMED = "the store says: database disk image is malformed"


def at(mono: int) -> Now:
    return Now(1_700_000_000_000 + mono, mono)


def submit(client: Any, payload: bytes = b"", **options: Any) -> bytes:
    id = new_ids()
    client.call("get_task_queue/q", "submit", "m:f", options, [[id, payload]])
    return id


def state(client: Any, id: bytes) -> int:
    return int(client.call("get_tasks", "states", [id])[0][1])


def failures(bench: Any) -> int:
    return [action for action, _ in bench.reports].count("store.failed")


@pytest.fixture
def make_read_only(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Callable[[], None]]:
    """What makes the store a real read-only one, and gives back what ends that."""

    def make() -> Callable[[], None]:
        store = bench.engine.store
        store._db.execute("PRAGMA query_only = ON")
        return lambda: store._db.execute("PRAGMA query_only = OFF")

    return make


# whose turn it is


def test_without_trouble_everything_is_one_transaction_and_in_trouble_each_kind_of_work_has_its_turn() -> (
    None
):
    trouble = Trouble([Chore("a", lambda now: None), Chore("b", lambda now: None)], lambda *_, **__: None)
    assert trouble.turn(at(0), reads=True, writes=True) is Turn.ALL
    trouble.failed("full", at(0))
    assert trouble.turn(at(0), reads=False, writes=False) is Turn.NONE
    now = at(PAUSE_MS_MIN)
    turns = [trouble.turn(now, reads=True, writes=True) for _ in range(6)]
    assert turns == [Turn.READ, Turn.WRITE, Turn.CHORE] * 2
    assert [trouble.turn(now, reads=False, writes=True) for _ in range(3)] == [
        Turn.WRITE,
        Turn.CHORE,
        Turn.WRITE,
    ]


def test_a_chore_that_fails_is_tried_again_after_pauses_that_double_up_to_a_bound_and_the_others_go_on() -> (
    None
):
    trouble = Trouble(
        [Chore("bad", lambda now: None), Chore("good", lambda now: None)], lambda *_, **__: None
    )
    trouble.failed("full", at(0))
    tried: list[int] = []
    good = 0
    mono = 0
    while mono < 60_000:
        mono = max(mono, trouble.wakeup())
        chore = trouble.next_chore(at(mono))
        if chore.name == "bad":
            tried.append(mono)
            trouble.failed("full", at(mono), chore)
        else:
            good += 1
            trouble.succeeded(chore, at(mono))
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert pauses[:5] == [400, 800, 1_600, 3_200, PAUSE_MS_MAX]
    assert set(pauses[5:]) == {PAUSE_MS_MAX}
    assert good > 40


def test_a_chore_in_doubt_is_tried_when_its_pause_is_over_however_many_others_are_due() -> None:
    chores = [Chore(f"good {number}", lambda now: None) for number in range(30)]
    bad = Chore("bad", lambda now: None)
    trouble = Trouble([*chores, bad], lambda *_, **__: None)
    for chore in (None, *[bad] * 5):
        trouble.failed("full", at(0), chore)
    mono = tried = 0
    while tried == 0:
        mono += 100  # one chore each time: the others become due faster than they are done
        chore = trouble.next_chore(at(mono))
        if chore is bad:
            tried = mono
        else:
            trouble.succeeded(chore, at(mono))
    assert tried == bad.due == PAUSE_MS_MAX


def test_a_failure_is_logged_once_and_then_once_a_minute_and_its_end_once() -> None:
    said: list[str] = []
    trouble = Trouble([Chore("a", lambda now: None)], lambda action, **_: said.append(action))
    for mono in range(0, 3 * LOG_EVERY_MS, 100):
        trouble.failed("full", at(mono), trouble.next_chore(at(mono)))
    assert said == ["store.failed"] * 3
    trouble.succeeded(trouble.next_chore(at(3 * LOG_EVERY_MS)), at(3 * LOG_EVERY_MS))
    assert said == [*["store.failed"] * 3, "store.recovered"]
    assert trouble.since is None


# the engine


def test_a_chore_that_cannot_write_keeps_no_call_from_being_answered(
    bench: Any, make_read_only: Callable[[], Callable[[], None]]
) -> None:
    client, viewer = bench.client(), bench.client()
    kept, due = submit(client), submit(client, delay=1.0)
    end = make_read_only()
    bench.advance(60)
    assert bench.engine.trouble.since is not None
    assert state(viewer, kept) == StateNumber.READY, "who reads is answered"
    with pytest.raises(StoreError, match=NOTHING_WRITTEN):
        submit(client)
    assert failures(bench) <= 4
    assert bench.engine.next_wakeup() - bench.now.mono <= PAUSE_MS_MAX
    end()
    bench.advance(2 * PAUSE_MS_MAX / 1000)
    assert bench.engine.trouble.since is None
    assert state(client, due) == StateNumber.READY
    assert bench.reports[-1][0] == "store.recovered"


def test_a_reader_does_not_overtake_what_its_own_session_asked_before(bench: Any) -> None:
    client = bench.client()
    bench.engine.trouble.failed("full", bench.now)
    id = new_ids()
    stored = client.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b""]])
    read = client.ask("get_tasks", "states", [id])
    for _ in range(3):
        bench.step()
    assert client.answer(stored) == 1
    assert client.answer(read) == [[id, StateNumber.READY]]


def test_a_chore_that_meets_a_damaged_page_holds_up_neither_calls_nor_other_chores(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, holder = bench.client(), bench.client()
    worker = bench.worker("m:f")
    assert holder.call(("get_lock", "held"), "acquire", TOKEN) == 1
    due = submit(client, delay=1.0)

    def malformed(*_: Any) -> Any:
        raise StoreError(MALFORMED)

    with monkeypatch.context() as damage:
        damage.setattr(bench.engine.store, "promote", malformed)
        bench.advance(2)
        worker_left = worker.disconnected
        holder.close()
        worker.disconnected = ""
        bench.advance(30)
        assert not worker.disconnected, "a chore that fails by itself costs no one a connection"
        assert worker_left == "the store failed; connect again"
        assert client.call(("get_lock", "held"), "acquire", b"u" * 16) == 2, "the absent lose their locks"
        assert state(client, submit(client)) == StateNumber.READY
        assert bench.engine.trouble.summary(bench.now)["error"] == MALFORMED
        assert bench.engine.trouble.summary(bench.now)["seconds"] > 20
        assert failures(bench) == 1
    bench.advance(2 * PAUSE_MS_MAX / 1000)
    assert state(client, due) == StateNumber.READY
    assert bench.engine.trouble.since is None


def test_who_reads_a_damaged_page_is_refused_alone(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other, worker = bench.client(), bench.client(), bench.worker("m:f")
    id = submit(client)

    def malformed(*_: Any) -> Any:
        raise StoreError(MALFORMED)

    with monkeypatch.context() as damage:
        damage.setattr(bench.engine.store, "full", malformed)
        bad, good = client.ask("get_tasks", "show", id), other.ask("get_tasks", "states", [id])
        bench.step()
        with pytest.raises(StoreError, match="malformed"):
            client.answer(bad)
        assert other.answer(good) == [[id, StateNumber.READY]]
    assert not worker.disconnected


def test_a_lack_of_memory_in_the_store_is_reported_as_that(bench: Any) -> None:
    class Starved:
        in_transaction = True
        total_changes = 0

        def execute(self, *_: Any) -> None:
            raise MemoryError

    store = SqliteStore(None, "memory")
    real, store._db = store._db, Starved()  # type: ignore[assignment]
    with pytest.raises(StoreError, match="no more memory"):
        store.next_due()
    store._db = real
    store.close()


def test_a_store_that_cannot_even_be_read_refuses_at_once_and_is_tried_with_growing_pauses(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def closed() -> None:
        tried.append(bench.now.mono)
        raise StoreError("the store says: unable to open database file")

    with monkeypatch.context() as damage:
        damage.setattr(bench.engine.store, "reopen", closed)
        damage.setattr(bench.engine.store, "begin", lambda **_: closed())
        began = bench.now.mono
        while bench.now.mono < began + 60_000:
            client = bench.client()
            with pytest.raises(StoreError, match="unable to open"):
                client.call("get_queues", "list")
            bench.advance(0.1)
    assert len(tried) < 40
    bench.advance(2 * PAUSE_MS_MAX / 1000)
    assert bench.client().call("get_queues", "list") == []


def test_a_store_that_cannot_be_reopened_is_tried_until_it_can_and_each_caller_gets_the_reason(
    make_bench: Any, tmp_path: Path
) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    bench = make_bench(SqliteStore(disk / "tq.db"))
    client = bench.client()
    kept, id = submit(client, b"kept"), new_ids()

    def unplugged() -> None:
        disk.rename(away)
        raise StoreError("the store says: disk I/O error")

    submit_it = ("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"]])
    call = client.ask(*submit_it)
    bench.step(commit=unplugged)
    for _ in range(3):
        with pytest.raises(StoreError, match="disk I/O error"):
            client.answer(call)
        client = bench.client()
        call = client.ask(*submit_it)
        bench.step()
    assert bench.engine.next_wakeup() > bench.now.mono, "it has to try again by itself"
    assert client.disconnected == "the store failed; connect again"
    away.rename(disk)
    bench.advance(PAUSE_MS_MAX / 1000)
    client = bench.client()
    assert client.call(*submit_it) == 1
    assert client.call("get_tasks", "states", [kept, id]) == [
        [kept, StateNumber.READY],
        [id, StateNumber.READY],
    ]
    assert [action for action, _ in bench.reports] == ["store.failed", "store.recovered"]


@pytest.mark.parametrize(("again", "times"), [(True, 2), (False, 1)])
def test_a_job_that_is_to_be_done_again_is_done_until_its_transaction_is_committed(
    bench: Any, again: bool, times: int
) -> None:
    done: list[int] = []

    def job() -> None:
        done.append(1)
        bench.engine.store.set_meta("done", b"1")

    def full() -> None:
        raise StoreError("the store says: database or disk is full")

    bench.engine.later(job, again=again)
    bench.step(commit=full)
    for _ in range(3):
        bench.step()
    assert len(done) == times


def test_a_note_is_taken_though_nothing_can_be_read_or_written(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bench.client()

    def closed(**_: Any) -> None:
        raise StoreError("closed")

    monkeypatch.setattr(bench.engine.store, "begin", closed)
    monkeypatch.setattr(bench.engine.store, "reopen", closed)
    bench.engine.note(lambda: bench.engine.sessions.closed(client.session))
    bench.step()
    assert client.session not in bench.engine.sessions


def test_sqlite_refuses_to_write_in_a_transaction_that_only_reads_the_way_a_read_only_disk_does() -> None:
    store = SqliteStore(None, "memory")
    store._db.execute("PRAGMA query_only = ON")
    store.begin(reading=True)
    assert store.in_transaction
    with pytest.raises(StoreError, match=NOTHING_WRITTEN):
        store.set_meta("x", b"")
    store.rollback()
    store.close()


def test_what_cannot_be_written_before_a_call_reads_costs_the_transaction_and_not_the_reader(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array was written and the row beside it was not; both were written again by the next who looked."""
    store, client, reader = bench.engine.store, bench.client(), bench.client()
    many, failing = store._many, ["the store says: database or disk is full"]

    def full_once(name: str, rows: Any) -> int:
        if name.startswith("insert") and failing:
            raise StoreError(failing.pop())
        return int(many(name, rows))

    monkeypatch.setattr(store, "_many", full_once)
    first, alone = new_ids.many(2)[0], new_ids()
    asked = client.ask("get_task_queue/q", "submit", "m:f", {}, [[first, [b"", b""]], [alone, b""]])
    look = reader.ask("get_tasks", "states", [first, alone])
    bench.step()
    for peer, call in ((client, asked), (reader, look)):
        with pytest.raises(StoreError, match="disk is full"):
            peer.answer(call)
    [said] = [fields for action, fields in bench.reports if action == "store.failed"]
    assert "disk is full" in str(said)
    bench.advance(1.0)
    assert reader.call("get_tasks", "states", [first, alone]) == [[first, -1], [alone, -1]]
