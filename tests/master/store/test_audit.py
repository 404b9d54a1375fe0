"""The audit log in a store."""

from __future__ import annotations

from tq.master.store.interface.audit import AuditedRow
from tq.master.store.interface.store import Store

from .tasks import NOW, within


def row(at: int, key: str = "admin") -> AuditedRow:
    return AuditedRow(at, at, key, "10.0.0.7:4242", bytes(16), "get_queues.set", "mail", 1, None)


def test_rows_come_newest_first_from_a_moment_on_below_a_number_and_of_one_key(store: Store) -> None:
    made = [row(NOW), row(NOW + 1_000, "other"), row(NOW + 2_000)]
    first, second, third = (within(store, lambda one=one: store.audit.add(one)) for one in made)
    assert first < second < third

    def numbers(before: int = third + 1, since: int = 0, most: int = 10, key: str | None = None) -> list[int]:
        return [number for number, _ in store.audit.rows(before, since, most, key)]

    assert store.audit.rows(third + 1, 0, 10) == [(third, made[2]), (second, made[1]), (first, made[0])]
    assert numbers(before=third) == [second, first]
    assert numbers(since=NOW + 1_000) == [third, second]
    assert numbers(since=NOW + 9_000) == []
    assert numbers(most=1) == [third]
    assert numbers(key="admin") == [third, first]
    assert numbers(key="admin", since=NOW + 1) == [third]
    assert numbers(key="none") == []
    assert store.audit.counts() == {"admin": 2, "other": 1}


def test_what_came_soon_after_changes_the_row_and_a_row_that_is_gone_stays_gone(store: Store) -> None:
    number = within(store, lambda: store.audit.add(row(NOW)))
    more = row(NOW)._replace(last=NOW + 5, target="mail and others", calls=2, reached=7)
    within(store, lambda: store.audit.change([(number, more), (number + 1, more)]))
    assert store.audit.rows(number + 9, 0, 10) == [(number, more)]


def test_the_oldest_go_first_and_a_number_is_never_used_again(store: Store) -> None:
    assert store.audit.oldest() is None
    for at, key in ((NOW, "a"), (NOW + 1, "b"), (NOW + 2, "a"), (NOW + 3, "b")):
        within(store, lambda at=at, key=key: store.audit.add(row(at, key)))
    assert store.audit.oldest() == NOW
    assert within(store, lambda: store.audit.forget(NOW + 2, 1)) == ["a"]
    assert within(store, lambda: store.audit.forget_oldest(1, "a")) == ["a"]
    assert within(store, lambda: store.audit.forget_oldest(9)) == ["b", "b"]
    assert within(store, lambda: store.audit.forget_oldest(9)) == []
    assert within(store, lambda: store.audit.add(row(NOW))) == 5
