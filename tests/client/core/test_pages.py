"""Pages of several shards: each row once, in one order, whatever the pages are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import tq
from hypothesis import given
from hypothesis import strategies as st
from tq.client.core import pages

STEP = 3  # rows that a shard looks at for an answer, matching or not


class FakeShards:
    """Shards with rows, each of which looks at a few of them for an answer."""

    method = "select"

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        """``rows``: moments, the newest first, of each shard. Only even ones match."""
        self._rows = [
            [{"id": b"%d" % shard, "created": at, "key": (shard, place)} for place, at in enumerate(of_one)]
            for shard, of_one in enumerate(rows)
        ]
        self.asked = 0

    @property
    def numbers(self) -> range:
        return range(len(self._rows))

    def of_name(self, name: str) -> int:
        return 0

    async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        self.asked += len(by_shard)
        return {shard: getattr(self, f"_{self.method}")(shard, *args) for shard, args in by_shard.items()}

    try_ask = ask

    async def ask_one(self, shard: int, args: Sequence[Any]) -> Any:
        return (await self.ask({shard: args}))[shard]

    def _portion(self, shard: int, limit: int, before: Any) -> tuple[list[dict[str, Any]], int | None]:
        """Matching rows of a portion, and where the next one begins."""
        rows = self._rows[shard]
        place = len(rows) if before is None else before
        start = len(rows) - place
        found: list[dict[str, Any]] = []
        for at in range(start, min(start + STEP, len(rows))):
            if rows[at]["created"] % 2 == 0:
                found.append(rows[at])
            start = at + 1
            if limit and len(found) == limit:
                break
        return found, None if start >= len(rows) else len(rows) - start

    def _select(self, shard: int, filter: Any, limit: int = 0, before: Any = None) -> dict[str, Any]:
        found, place = self._portion(shard, limit, before)
        states = [[3, len(found)]] if found else []
        return {
            "rows": found if limit else [],
            "before": place,
            "states": states,
            "newest": len(self._rows[shard]),
        }

    def _cancel_where(self, shard: int, filter: Any, before: Any = None) -> dict[str, Any]:
        found, place = self._portion(shard, 0, before)
        return {"tasks": len(found), "before": place}

    def _flows(self, shard: int, behind: Any, limit: int, short: bool) -> dict[str, Any]:
        found, place = self._portion(shard, limit, behind)
        return {"rows": found, "behind": place}

    def _schedules(self, shard: int, after: int, *_: Any) -> dict[str, Any]:
        found, place = self._portion(shard, 0, after or None)
        return {"rows": found, "after": place}


moments = st.lists(st.integers(0, 60), max_size=14).map(lambda of_one: sorted(of_one, reverse=True))
stores = st.lists(moments, min_size=2, max_size=5)


def matching(rows: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [
        (shard, place) for shard, of_one in enumerate(rows) for place, at in enumerate(of_one) if at % 2 == 0
    ]


@given(stores, st.integers(1, 7))
def test_every_row_is_on_one_page_and_the_newest_come_first(rows: list[list[int]], limit: int) -> None:
    shards, found, before, states = FakeShards(rows), [], None, 0
    while True:
        answer = asyncio.run(pages.task_pages(shards, ({}, limit, before)))
        assert len(answer["rows"]) <= limit
        found += answer["rows"]
        states += sum(tasks for _, tasks in answer["states"])
        before = answer["before"]
        if before is None:
            break
    assert sorted(row["key"] for row in found) == sorted(matching(rows))
    assert [row["created"] for row in found] == sorted((row["created"] for row in found), reverse=True)
    assert states == len(found)  # what is read again is counted once


@given(stores)
def test_a_count_goes_through_all_shards_at_once_and_says_up_to_where_they_are_meant(
    rows: list[list[int]],
) -> None:
    shards, before, states = FakeShards(rows), None, 0
    newest = asyncio.run(pages.task_pages(shards, ({},)))["newest"]
    assert newest == [[len(of_one)] for of_one in rows]
    while True:
        answer = asyncio.run(pages.task_pages(shards, ({}, 0, before)))
        states += sum(tasks for _, tasks in answer["states"])
        before = answer["before"]
        if before is None:
            break
    assert states == len(matching(rows))


@given(stores)
def test_what_is_done_by_a_filter_is_done_in_all_shards_up_to_where_they_are_meant(
    rows: list[list[int]],
) -> None:
    shards, done = FakeShards(rows), 0
    before = asyncio.run(pages.task_pages(shards, ({},)))["newest"]
    shards.method = "cancel_where"
    while before is not None:
        answer = asyncio.run(pages.task_portions(shards, ({}, before)))
        done += answer["tasks"]
        before = answer["before"]
    assert done == len(matching(rows))


@given(stores, st.integers(1, 7))
def test_flows_come_in_one_order(rows: list[list[int]], limit: int) -> None:
    shards, found, behind = FakeShards(rows), [], None
    shards.method = "flows"
    while True:
        answer = asyncio.run(pages.flow_pages(shards, (behind, limit, False)))
        found += answer["rows"]
        behind = answer["behind"]
        if behind is None:
            break
    assert sorted(row["key"] for row in found) == sorted(matching(rows))
    assert [row["created"] for row in found] == sorted((row["created"] for row in found), reverse=True)


@given(stores)
def test_schedules_are_read_to_the_end_of_each_shard(rows: list[list[int]]) -> None:
    shards, found, after = FakeShards(rows), [], 0
    shards.method = "schedules"
    while after is not None:
        answer = asyncio.run(pages.schedule_pages(shards, (after, 500)))
        found += answer["rows"]
        after = answer["after"]
    assert sorted(row["key"] for row in found) == sorted(matching(rows))


@pytest.mark.parametrize("place", [7, "9", [None], [[1], [2], [3]], [[1, 2], None], {"a": 1}])
def test_a_place_of_another_list_is_refused_with_what_to_do(place: Any) -> None:
    with pytest.raises(
        tq.InvalidArgument, match="is not a position in a list of 2 shards; start from its beginning"
    ):
        asyncio.run(pages.task_pages(FakeShards([[2], [4]]), ({}, 5, place)))


class Lines(FakeShards):
    """Each answer of a shard ends within the line of an array, until that is counted."""

    method = "lines"

    def _lines(self, shard: int, filter: Any, limit: int, before: Any) -> dict[str, Any]:
        created = 10 - shard
        line = {"id": b"%d" % shard, "tasks": 2, "states": [[3, 2]], "created": created, "digits": 12}
        if before is None:
            return {"rows": [{**line, "error": None, "tags": {}}], "before": [5, b"inside"]}
        if before == [5, b"inside"]:
            rest = {**line, "rest": True, "error": None, "tags": {}, "states": [[3, 1], [4, 1]]}
            return {"rows": [rest], "before": [5, None]}
        return {"rows": [], "before": None}


def test_a_line_that_a_shard_counts_in_parts_is_one_line_and_its_id_tells_the_shard() -> None:
    answer = asyncio.run(pages.line_pages(Lines([[], []]), ({}, 10)))
    assert [(row["id"], row["tasks"], row["states"]) for row in answer["rows"]] == [
        (b"0", 4, [(3, 3), (4, 1)]),
        (b"1", 4, [(3, 3), (4, 1)]),
    ]
    assert {row["digits"] for row in answer["rows"]} == {pages.ID_DIGITS}
    assert answer["before"] is None


def test_a_page_of_lines_ends_between_two_lines_and_the_next_one_goes_on_there() -> None:
    shards = Lines([[], []])
    first = asyncio.run(pages.line_pages(shards, ({}, 1)))
    assert [row["id"] for row in first["rows"]] == [b"0"]
    assert first["before"][1] is None
    second = asyncio.run(pages.line_pages(shards, ({}, 5, first["before"])))
    assert [row["id"] for row in second["rows"]] == [b"1"]
    assert second["before"] is None
