"""Answers of several shards as one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import tq
from tq.client.core import merges
from tq.common.contract.observe import MasterRow
from tq.common.domain.series import Level, SeriesPoint, unpacked

from .test_merged_workers import worker

Answers = Sequence[Any]


class Answering:
    """Shards that answer what a test says, by method; an error as well."""

    def __init__(self, method: str, **answers: Answers) -> None:
        self.method, self._answers = method, answers
        self.calls: list[tuple[str, int, tuple[Any, ...]]] = []

    @property
    def numbers(self) -> range:
        return range(max(map(len, self._answers.values())))

    def of_name(self, name: str) -> int:
        return int(name.removeprefix("q"))

    async def try_ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        method = of or self.method
        self.calls += [(method, shard, tuple(args)) for shard, args in by_shard.items()]
        return {shard: self._answers[method][shard] for shard in by_shard}

    async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        found = await self.try_ask(by_shard, of)
        for one in found.values():
            if isinstance(one, tq.TqError):
                raise one
        return found

    async def ask_one(self, shard: int, args: Sequence[Any]) -> Any:
        return (await self.ask({shard: args}))[shard]


def merged(name: str, answers: Answers, *args: Any) -> Any:
    return asyncio.run(merges.MERGES[name](Answering("list", list=answers), args))


def test_lists_by_name_are_one_list_by_name() -> None:
    rows = merged("rows_by_name", [[{"name": "b"}], [{"name": "a"}, {"name": "c"}]])
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    shown = merged(
        "named_rows", [{"rows": [{"name": "b"}], "left_out": 1}, {"rows": [{"name": "a"}], "left_out": 2}]
    )
    assert ([row["name"] for row in shown["rows"]], shown["left_out"]) == (["a", "b"], 3)


def test_what_an_id_may_mean_is_what_it_means_in_any_shard() -> None:
    answers = [{"rows": [{"id": b"2"}], "more": False}, {"rows": [{"id": b"1"}], "more": True}]
    assert merged("meant", answers) == {"rows": [{"id": b"1"}, {"id": b"2"}], "more": True}


def test_an_id_means_nothing_yet_where_one_shard_has_too_many_that_begin_so() -> None:
    answers = [{"rows": [{"id": b"2"}], "more": False}, {"rows": [], "more": True}]
    assert merged("meant", answers) == {"rows": [], "more": True}


def test_a_shortened_id_is_refused_while_a_shard_is_away_that_may_have_it() -> None:
    class WithoutTheLast(Answering):
        async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
            found = await super().ask(by_shard, of)
            del found[max(found)]
            return found

    shards = WithoutTheLast("meant", meant=[{"rows": [{"id": b"2"}], "more": False}, None])
    with pytest.raises(
        tq.Unreachable, match="one of shard 1 of 2, which does not answer: write all of the id"
    ):
        asyncio.run(merges.MERGES["meant"](shards, ()))


def limit(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "max_running": 5,
        "rate": None,
        "burst": None,
        "keys": 1,
        "running": 2,
        "waiting": 3,
        "programs": 1,
        "differing": 0,
        **fields,
    }


def test_a_limit_has_what_runs_and_waits_in_all_shards_and_its_programs_once() -> None:
    [row] = merged("limits", [[limit("api")], [limit("api", waiting=7)]])
    assert (row["running"], row["waiting"], row["keys"], row["programs"]) == (4, 10, 2, 1)


def test_a_divided_limit_is_set_in_every_shard_also_where_no_task_has_had_it_yet() -> None:
    declared = {"max_running": 9, "rate": None, "burst": None}
    row = limit("api", key="k", declared=declared, over=2)
    shards = Answering("set", show=[UNKNOWN, row], set=[row, row])
    asyncio.run(merges.MERGES["limit_set"](shards, ("api", {"max_running": 4})))
    assert [call for call in shards.calls if call[0] == "set"] == [
        ("set", 0, ("api", {"max_running": 4}, ("k", {"name": "api", **declared}))),
        ("set", 1, ("api", {"max_running": 4})),
    ]


def test_a_limit_with_a_tag_is_set_in_its_shard_alone() -> None:
    row = limit("{mail}api", key="k", declared={})
    shards = Answering("set", show=[UNKNOWN, row], set=[UNKNOWN, row])
    asyncio.run(merges.MERGES["limit_set"](shards, ("{mail}api", {"max_running": 4})))
    assert [call[:2] for call in shards.calls if call[0] == "set"] == [("set", 1)]


def test_a_limit_that_is_used_in_one_shard_is_removed_in_none_that_says_so() -> None:
    used = tq.InvalidArgument("limit 'api' is in use")
    shards = Answering("remove", show=[UNKNOWN, limit("api")], remove=[UNKNOWN, used])
    with pytest.raises(tq.InvalidArgument, match="in use"):
        asyncio.run(merges.MERGES["limit_removed"](shards, ("api",)))
    assert [call[1] for call in shards.calls if call[0] == "remove"] == [1]
    away = Answering("reset", show=[tq.Unreachable("away"), UNKNOWN], reset=[None, None])
    with pytest.raises(tq.Unreachable, match="shard 0: away"):
        asyncio.run(merges.MERGES["limit_reset"](away, ("api",)))


def test_a_page_of_limits_ends_where_one_shard_has_not_shown_what_comes_next() -> None:
    first, second = [limit("a"), limit("c")], [limit("b"), limit("d"), limit("e")]
    rows = merged("limits", [first, second], "", 2)
    assert [row["name"] for row in rows] == ["a", "b", "c"]


def test_a_strike_is_one_row_and_is_removed_everywhere_by_the_number_that_is_shown() -> None:
    def strike(number: int, condition: str) -> dict[str, Any]:
        return {"strike": number, "condition": condition, "lanes": 1, "waiting": 2, "comparing": False}

    lists = [[strike(1, "a"), strike(2, "b")], [{**strike(1, "b"), "comparing": True}]]
    assert [(row["strike"], row["waiting"]) for row in merged("strikes", lists)] == [(1, 2), (2, 4)]
    assert [row["comparing"] for row in merged("strikes", lists)] == [False, True], "as long as one shard is"
    shards = Answering("remove", list=lists, remove=[None, None])
    asyncio.run(merges.MERGES["strike_removed"](shards, (2,)))
    assert [call for call in shards.calls if call[0] == "remove"] == [
        ("remove", 0, ("b",)),
        ("remove", 1, ("b",)),
    ]
    with pytest.raises(tq.InvalidArgument, match="no strike with the number 7; name its condition"):
        asyncio.run(merges.MERGES["strike_removed"](shards, (7,)))


def test_a_strike_is_added_in_all_shards_or_in_none() -> None:
    args = ("task=m:f arg.to=a", "why", 60.0)
    shards = Answering("add", check=[None, None], add=[None, None])
    asyncio.run(merges.MERGES["strike_added"](shards, args))
    checks = [("check", shard, args[:1]) for shard in (0, 1)]
    assert shards.calls == [*checks, *(("add", shard, args) for shard in (0, 1))]
    shards = Answering("add", check=[None, tq.InvalidArgument("100 strikes already")], add=[None, None])
    with pytest.raises(tq.InvalidArgument, match="100 strikes already"):
        asyncio.run(merges.MERGES["strike_added"](shards, args))
    assert shards.calls == checks


def test_an_argument_is_known_if_tasks_of_one_shard_are_found_by_it() -> None:
    answers = [{"to": True, "too": False}, {"to": False, "too": False}, {}, None]
    shards = Answering("check", check=answers)
    found = asyncio.run(merges.MERGES["strike_checked"](shards, ("task=m:f arg.to=a arg.too=b",)))
    assert found == {"to": True, "too": False}


UNKNOWN = tq.InvalidArgument("there is none of that name")


def test_what_is_removed_by_name_is_removed_where_it_is() -> None:
    asyncio.run(merges.MERGES["first_done"](Answering("remove", remove=[UNKNOWN, None]), ("api",)))
    with pytest.raises(tq.InvalidArgument, match="none of that name"):
        asyncio.run(merges.MERGES["first_done"](Answering("remove", remove=[UNKNOWN, UNKNOWN]), ("api",)))


@pytest.mark.parametrize("error", [tq.Unreachable("it is away"), tq.Forbidden("no")])
def test_a_shard_that_could_not_do_it_is_no_shard_that_has_nothing_to_do(error: tq.TqError) -> None:
    with pytest.raises(type(error)):
        asyncio.run(merges.MERGES["first_done"](Answering("revoke", revoke=[None, error]), ("key",)))


def test_a_cap_is_taken_from_shards_before_it_is_given_to_others() -> None:
    row = {"name": "acme", "weight": 1, "max_running": 4, "waiting": 1, "running": 0, "held": 0}
    terms = {"weight": 1, "max_running": 4, "shards_of": ["q1"]}
    shards = Answering("set", plan=([7, terms], None), set=(row, row))
    found = asyncio.run(merges.MERGES["tenant_set"](shards, ("acme", {"shards_of": ["q1"]})))
    assert found["waiting"] == 2
    lower, change = ("acme", terms, True, 7), ("acme", terms, False, 7)
    assert shards.calls == [
        ("plan", 0, ("acme", {"shards_of": ["q1"]})),
        *[("set", 0, lower), ("set", 1, lower)],
        *[("set", 0, change), ("set", 1, change)],
    ]


def test_a_snapshot_has_the_queues_of_all_and_each_worker_once() -> None:
    def one(queue: str, started: float) -> dict[str, Any]:
        return {
            "version": "1",
            "rate": 1.5,
            "commit_seconds": started,
            "queues": [{"name": queue}],
            "workers": [worker("a")],
            "running": [{"id": queue, "started": started}],
            "failing": [{"id": queue, "at": started}],
        }

    found = merged("snapshot", [one("b", 2.0), one("a", 1.0)])
    assert (found["version"], found["rate"], found["commit_seconds"]) == ("1", 3.0, 2.0)
    assert [row["name"] for row in found["queues"]] == ["a", "b"]
    assert [row["node"] for row in found["workers"]] == ["a"]
    assert [row["id"] for row in found["running"]] == ["a", "b"]
    assert [row["id"] for row in found["failing"]] == ["b", "a"]


def test_the_points_of_a_moment_are_one() -> None:
    def answer(submitted: int, slots: int) -> dict[str, Any]:
        point = SeriesPoint(
            submitted=submitted, slots=slots, ready=Level(1, 2), queues={f"q{submitted}": Level(1, 1)}
        )
        return {"step": 10.0, "from": 0, "now": 30, "rows": [[7, 20.0, point.packed()]], "more": False}

    found = merged("series", [answer(1, 4), answer(2, 4)], 60)
    [[slot, at, body]] = found["rows"]
    point = unpacked(body)
    assert (slot, at, point.submitted, point.slots, point.ready) == (2, 20.0, 3, 4, Level(2, 4))
    assert set(point.queues) == {"q1", "q2"}


def test_a_list_that_is_cut_by_a_task_or_a_number_is_refused_with_what_to_use() -> None:
    with pytest.raises(tq.InvalidArgument, match="read it with"):
        merged("newest_tasks", [[], []], {}, 10, b"x" * 16)
    with pytest.raises(tq.InvalidArgument, match="has no `before`"):
        merged("audit", [[], []], 10, 7)


def test_a_master_that_was_killed_does_not_hide_the_one_that_has_its_address_now() -> None:
    def row(address: str, silent: float, shards: list[int]) -> list[Any]:
        return MasterRow(address, "host", bool(shards), None, None, 0.0, silent, "1", None, shards).to_wire()

    before, now, other = row("a:1", 90.0, []), row("a:1", 0.5, [0, 1]), row("b:1", 0.1, [2, 3])
    older_view = row("a:1", 1.5, [0, 1, 2])
    assert merged("masters", [[now, before, other], [before, older_view, other]]) == [now, other]
    assert merged("masters", [[before, other], [other, now]]) == [now, other]
