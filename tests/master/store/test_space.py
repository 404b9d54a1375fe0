"""The space that a store's file takes, and what is returned of it to the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.master.store.interface.store import Store

from .tasks import insert, task, within

TASKS = 100
PAYLOAD = bytes(20_000)
PAGES = 1_000  # more than the file has


@pytest.fixture
def emptied(store: Store, route: int) -> Store:
    """A store whose tasks were deleted."""
    for first in range(1, TASKS, 50):
        insert(store, *(task(seq, route, payload=PAYLOAD) for seq in range(first, first + 50)))
    for first in range(1, TASKS, 50):
        within(store, lambda first=first: store.delete(range(first, first + 50)))
    return store


def test_what_was_deleted_is_unused_space(emptied: Store) -> None:
    space = emptied.space()
    assert space.unused_bytes > TASKS * len(PAYLOAD) * 0.9
    assert space.size_bytes > space.unused_bytes


def test_what_is_given_back_is_no_longer_of_the_file(emptied: Store) -> None:
    before = emptied.space()
    given = within(emptied, lambda: emptied.give_back(PAGES))
    after = emptied.space()
    assert before.size_bytes - after.size_bytes == given
    assert after.unused_bytes == (0 if before.shrinks else before.unused_bytes)
    assert bool(given) == before.shrinks


def test_no_more_is_given_back_than_was_asked_for(emptied: Store) -> None:
    before = emptied.space()
    if not before.shrinks:
        pytest.skip("this kind of store keeps its space")
    one = within(emptied, lambda: emptied.give_back(1))
    assert within(emptied, lambda: emptied.give_back(10)) == 10 * int(str(one))


def test_a_transaction_that_gives_back_has_to_be_committed(emptied: Store) -> None:
    before = emptied.space()
    emptied.begin()
    emptied.give_back(100)
    assert emptied.changed == before.shrinks
    emptied.rollback()
    assert emptied.space() == before
    emptied.begin()
    assert not emptied.changed
    emptied.rollback()


def test_the_file_itself_is_shorter_after_the_commit(emptied: Store, tmp_path: Path) -> None:
    if not emptied.space().shrinks:
        pytest.skip("this kind of store keeps its space")
    within(emptied, lambda: emptied.give_back(PAGES))
    assert sum(file.stat().st_size for file in tmp_path.glob("*.db")) < 600_000


def test_tasks_that_are_left_are_what_they_were(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, payload=b"%d" % seq * 5_000) for seq in range(1, 200)))
    within(store, lambda: store.delete([seq for seq in range(1, 200) if seq % 3]))
    within(store, lambda: store.give_back(PAGES))
    assert [store.payload(seq) for seq in range(3, 200, 3)] == [
        b"%d" % seq * 5_000 for seq in range(3, 200, 3)
    ]
