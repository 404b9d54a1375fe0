"""Rows of several shards that are about the same thing are one row."""

from __future__ import annotations

from tq.client.core.merged_rows import Row, one_of_each


def test_rows_that_say_the_same_under_a_name_are_merged_where_the_first_of_them_stands() -> None:
    rows: list[Row] = [
        {"id": "b", "n": 1},
        {"id": "a", "n": 2},
        {"id": "b", "n": 4},
        {"id": None, "n": 8},
        {"id": "b", "n": 16},
    ]
    merged = one_of_each(rows, "id", lambda one, other: {**one, "n": one["n"] + other["n"]})
    assert merged == [{"id": "b", "n": 21}, {"id": "a", "n": 2}, {"id": None, "n": 8}]


def test_a_row_that_stands_alone_is_left_as_it_is() -> None:
    assert one_of_each([{"id": "a"}], "id", lambda one, other: {}) == [{"id": "a"}]
    assert one_of_each([], "id", lambda one, other: {}) == []
