"""The store's verbs for named values, on a file and in memory."""

from __future__ import annotations

import pytest
from tq.common.errors import StoreError
from tq.master.store.interface.data import DataCall, DataRow, StoredDatum
from tq.master.store.interface.store import Store

CALLER = b"c" * 16


pytestmark = pytest.mark.usefixtures("transaction")


def test_a_value_is_read_as_it_was_stored_with_its_calls_in_order(store: Store) -> None:
    one, other = store.data.add("x", "dict", b"value", b"callers"), store.data.add("y", "list", b"", b"")
    store.data.add_calls(
        [
            DataCall(one, CALLER, 1, b"first"),
            DataCall(other, CALLER, 2, b"?"),
            DataCall(one, CALLER, 3, b"2nd"),
        ]
    )
    assert store.data.read(one) == StoredDatum(
        b"value", b"callers", [(CALLER, 1, b"first"), (CALLER, 3, b"2nd")]
    )
    assert store.data.load() == [DataRow(one, "x", "dict", 5 + 5 + 3), DataRow(other, "y", "list", 1)]


def test_a_value_that_is_replaced_has_its_calls_in_it(store: Store) -> None:
    one, other = store.data.add("x", "dict", b"value", b""), store.data.add("y", "dict", b"", b"")
    store.data.add_calls([DataCall(one, CALLER, 1, b"a"), DataCall(other, CALLER, 1, b"b")])
    store.data.replace(one, b"new", b"callers")
    assert store.data.read(one) == StoredDatum(b"new", b"callers", [])
    assert store.data.read(other).calls == [(CALLER, 1, b"b")]


def test_what_is_dropped_is_gone_with_its_calls(store: Store) -> None:
    one = store.data.add("x", "dict", b"value", b"")
    store.data.add_calls([DataCall(one, CALLER, 1, b"a")])
    store.data.drop(one)
    assert store.data.load() == []
    again = store.data.add("x", "list", b"", b"")
    assert store.data.read(again).calls == []


def test_two_of_one_name_are_not_stored(store: Store) -> None:
    store.data.add("x", "dict", b"", b"")
    with pytest.raises(StoreError):
        store.data.add("x", "list", b"", b"")
