"""Strikes in a store."""

from __future__ import annotations

from tq.master.store.interface.store import Store
from tq.master.store.interface.strikes import StrikeRow

from .tasks import NOW, within


def test_a_strike_is_kept_as_it_was_changed_last_until_it_is_dropped(store: Store) -> None:
    within(store, lambda: store.add_strike("task=m:f", "why", "key", NOW, NOW + 5))
    within(store, lambda: store.add_strike("queue=q", "", "key", NOW, None))
    one, other = store.strike_rows()
    assert one == StrikeRow(one.number, "task=m:f", "why", "key", NOW, NOW + 5)
    changed = one._replace(reason="other", key="else", until=None)
    within(store, lambda: store.change_strike(changed))
    assert store.strike_rows() == [changed, other]
    within(store, lambda: store.drop_strike(other.number))
    assert store.strike_rows() == [changed]
    within(store, lambda: store.add_strike("queue=r", "", "key", NOW, None))
    assert store.strike_rows()[-1].number > other.number, "a number is never used again"
