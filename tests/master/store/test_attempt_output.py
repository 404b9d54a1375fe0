"""What a store keeps of what attempts say: one piece of text, the last one, within its bounds."""

from __future__ import annotations

import pytest
from tq.master.store.interface.attempt_output import Observation
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import NewTasks

NOW = 1_700_000_000_000
KEPT = 10


def say(store: Store, size: int, text: bytes, progress: bytes | None = None, *, seq: int = 1) -> None:
    store.begin()
    store.observe([Observation(seq, 1, progress, size, text)], KEPT)
    store.commit()


def kept(store: Store) -> tuple[int, bytes]:
    [row] = store.logs(1, 1, 5)
    return row.size, row.text


def test_what_is_said_is_put_together(store: Store) -> None:
    say(store, 3, b"abc")
    say(store, 6, b"def")
    assert kept(store) == (6, b"abcdef")


def test_only_the_last_part_is_kept(store: Store) -> None:
    say(store, 8, b"12345678")
    say(store, 12, b"9abc")
    assert kept(store) == (12, b"3456789abc")


@pytest.mark.parametrize(("size", "text"), [(6, b"def"), (6, b"abcdef"), (6, b"bcdef")])
def test_a_resend_adds_only_what_is_new(store: Store, size: int, text: bytes) -> None:
    say(store, 4, b"abcd")
    say(store, size, text)
    assert kept(store) == (6, b"abcdef")
    say(store, size, text)
    assert kept(store) == (6, b"abcdef")


def test_after_a_gap_the_piece_behind_it_is_what_is_kept(store: Store) -> None:
    say(store, 3, b"abc")
    say(store, 9, b"ghi")
    assert kept(store) == (9, b"ghi")


def test_bytes_stay_bytes(store: Store) -> None:
    say(store, 4, b"\x00\xff\xc3\n")
    say(store, 6, b"\xa9\x00")
    assert kept(store) == (6, b"\x00\xff\xc3\n\xa9\x00")


def test_progress_stays_until_there_is_another(store: Store) -> None:
    say(store, 0, b"", b"1")
    say(store, 2, b"ab")
    assert store.progress(1, 1) == b"1"
    say(store, 2, b"", b"2")
    assert (store.progress(1, 1), kept(store)) == (b"2", (2, b"ab"))
    assert store.progress(1, 2) is None


def test_the_latest_attempts_come_first(store: Store) -> None:
    store.begin()
    store.observe([Observation(1, attempt, None, 1, b"x") for attempt in (1, 2, 3)], KEPT)
    assert [row.attempt for row in store.logs(1, 3, 2)] == [3, 2]
    assert [row.attempt for row in store.logs(1, 2, 1)] == [2]
    store.rollback()


def test_how_much_is_kept_is_counted_through_all_changes(store: Store) -> None:
    say(store, 5, b"12345")
    say(store, 9, b"6789")
    say(store, 7, b"1234567", seq=2)
    assert store.log_bytes == 16
    say(store, 12, b"abc")
    assert store.log_bytes == 17
    store.begin()
    store.trim_logs(1)
    store.commit()
    assert (store.log_bytes, store.logs(1, 1, 1)) == (7, [])


def test_it_goes_with_its_task(store: Store) -> None:
    store.begin()
    route = store.add_route("q", "m:f")
    group = NewTasks(
        route=route, state=3, created=NOW, tasks=[(1, b"i" * 16, b"")], attempt=1, lease=b"L" * 16, worker=1
    )
    assert store.insert([group])
    store.succeed([(b"result", NOW, NOW, 1, 1, b"L" * 16)])
    store.commit()
    say(store, 3, b"abc")
    store.begin()
    assert store.purge(NOW, 10)
    store.commit()
    assert (store.log_bytes, store.logs(1, 1, 1)) == (0, [])
