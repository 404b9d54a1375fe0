"""Indexed arguments as the store keeps them: the same when they are read back, and small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.argument_index import IndexColumns
from tq.common.domain.text_columns import TextColumn
from tq.master.tasks.kept_index import packed_index, unpacked_index

TEXTS = st.lists(st.sampled_from(["", "ann", "ben", "ä"]), min_size=1, max_size=30)


@given(TEXTS)
def test_what_is_kept_reads_back_as_it_was(customers: list[str]) -> None:
    index = IndexColumns((("arg.customer", TextColumn.of(customers)), ("arg.shop", TextColumn.of(["x"]))))
    assert unpacked_index(packed_index(index)) == index


def test_a_thousand_tasks_of_a_few_customers_take_two_bytes_each() -> None:
    customers = TextColumn.of([f"c{number % 10}" for number in range(1_000)])
    kept = packed_index(
        IndexColumns((("arg.customer", customers), ("arg.shop", TextColumn.of(["x"] * 1_000))))
    )
    assert len(kept) < 2_200
