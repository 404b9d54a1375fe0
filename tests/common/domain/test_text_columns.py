"""A column: a text for each task of a submit, written once for all that have the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import InvalidArgument
from tq.common.wire.frames import pack


@given(st.lists(st.text(max_size=5), min_size=1, max_size=50))
def test_a_column_has_each_text_once_and_comes_back_as_it_was(texts: list[str]) -> None:
    column = TextColumn.of(texts)
    assert len(set(column.texts)) == len(column.texts)
    back = TextColumn.from_wire("tenant", column.to_wire(), len(texts))
    assert [back.at(task) for task in range(len(texts))] == texts
    assert (back.codes is None) == (len(set(texts)) == 1)


def test_a_column_costs_few_bytes_a_task() -> None:
    texts = [f"host{number % 100}.example" for number in range(1_000)]
    assert len(pack(TextColumn.of(texts).to_wire())) < 1_000 + 100 * 20


@pytest.mark.parametrize(
    "wire",
    [
        None,
        5,
        [],
        [["a"]],
        [["a"], "00"],
        [[], [0, 0]],
        [["a"], [0]],
        [["a"], [0, 1]],
        [["a"], [0, -1]],
        [["a"], [0, True]],
        [["a", 5], [0, 1]],
        [["a", "b", "c"], [0, 1]],
        "x" * 257,
        [["x" * 257], [0, 0]],
    ],
)
def test_what_is_no_column_of_two_tasks_is_refused(wire: Any) -> None:
    with pytest.raises(InvalidArgument):
        TextColumn.from_wire("tenant", wire, 2)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.data())
def test_a_part_of_a_column_has_no_texts_but_those_of_its_tasks(
    texts: list[str], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(texts) - 1))
    stop = data.draw(st.integers(start + 1, len(texts)))
    part = TextColumn.of(texts).part(start, stop)
    assert [part.at(task) for task in range(stop - start)] == texts[start:stop]
    assert set(part.texts) == set(texts[start:stop])
