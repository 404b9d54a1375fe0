"""In which shard the tasks of a queue are that is in every one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import tq
from tq.client.core.session import ClientSession
from tq.client.tasks.definition import Definition
from tq.client.tasks.home import ANY_SHARD, ONE_SHARD, home_of
from tq.client.tasks.kinds import TaskKind
from tq.client.tasks.options import Choice, choose
from tq.client.tasks.spreading import (
    TURN_SECONDS,
    TURN_TASKS,
    Scattering,
    ShardTurns,
    placed,
    placed_in_turn,
    shard_for,
)
from tq.common.domain.columns import LaneColumns
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in, shard_of_id, shard_of_name
from tq.common.domain.text_columns import TextColumn

from .. import jobs

SHARDS = 4
FETCH = "{spread}fetch"
HOST = tq.Limit("{spread}host", max_running=1, by="{host}")
KEYS = {shard_of_name(key, SHARDS): key for key in map(str, range(99))}  # one in each shard


class Session:
    def __init__(self, shards: int = SHARDS) -> None:
        self.shards = self.known_shards = shards
        self.now = 0.0
        self.turns = ShardTurns(cast(Any, self), lambda: self.now)

    def part(self, kind: type) -> ShardTurns:
        assert kind is ShardTurns
        return self.turns


def session() -> Any:
    return Session()


def a_run(shard: int) -> IdRun:
    return IdRun(id_in(new_ids(), shard), 1)


class OpenFlow:
    def __init__(self, shard: int) -> None:
        self.flow_id = id_in(new_ids(), shard)


def chosen(**options: Any) -> Choice:
    return choose({"queue": FETCH, **options})


def of_keys(*keys: str) -> LaneColumns:
    return LaneColumns(((HOST, TextColumn.of(keys)),))


def test_a_task_of_such_a_queue_has_no_shard_before_it_is_made_and_with_one_shard_nothing_differs() -> None:
    assert home_of(session(), chosen()) == ANY_SHARD
    assert home_of(cast(ClientSession, Session(1)), chosen()) == ONE_SHARD
    kind = TaskKind("m:f", chosen(), 2)
    assert placed_in_turn(session(), kind) is kind


def test_shards_have_turns_and_what_is_submitted_at_once_travels_together() -> None:
    of = Session()
    first = of.turns.next()
    assert [of.turns.next() for _ in range(5)] == [first] * 5
    of.now += TURN_SECONDS
    second = of.turns.next(TURN_TASKS)
    third = of.turns.next(TURN_TASKS)
    assert [first, second, third] == [(first + n) % SHARDS for n in range(3)]


def test_what_is_the_same_meets_in_one_shard() -> None:
    of, definition = session(), Definition(jobs.double, None)
    kind = TaskKind("m:f", chosen(), ANY_SHARD)
    for shard, key in KEYS.items():
        assert placed(of, kind, definition, key, ((1,), {}), ()).shard == shard
    once = TaskKind("m:f", chosen(unique=tq.Unique(by="{x}")), ANY_SHARD)
    assert {placed(of, once, definition, None, ((7,), {}), ()).shard for _ in range(9)} == {
        shard_of_name("7", SHARDS)
    }
    limited = TaskKind("m:f", chosen(limits=[HOST])._replace(columns=of_keys(KEYS[3])), ANY_SHARD)
    assert placed(of, limited, definition, None, ((1,), {}), ()).shard == 3
    assert placed_in_turn(of, limited).shard == 3


def test_a_task_is_where_the_tasks_are_that_it_needs_if_that_is_one_shard() -> None:
    of = session()
    assert shard_for(of, FETCH, (), [a_run(2), a_run(2)]) == 2
    assert shard_for(of, FETCH, (), [a_run(1), a_run(2)]) is None
    assert shard_for(of, FETCH, (), ()) is None


def test_a_text_decides_whatever_the_task_needs() -> None:
    of = session()
    assert shard_for(of, FETCH, [KEYS[2]], ()) == 2
    assert shard_for(of, FETCH, [KEYS[1]], [a_run(2), a_run(3)]) == 1


@pytest.mark.parametrize(
    "texts",
    [
        [KEYS[1], KEYS[2]],
        ["a", "b"],  # also if both lead to one shard
    ],
)
def test_texts_that_would_be_in_two_shards_are_refused_whether_or_not_they_are(texts: Sequence[str]) -> None:
    with pytest.raises(
        tq.InvalidArgument, match=r"here these differ: .*; give all of them one text, or leave out"
    ):
        shard_for(session(), FETCH, texts, ())


def test_the_tasks_of_a_flow_are_in_its_shard() -> None:
    flow = cast(Any, OpenFlow(3))
    assert home_of(session(), chosen()._replace(flow=flow)) == 3
    with pytest.raises(tq.InvalidArgument, match="has a shard for each of its keys, and its flow is in one"):
        home_of(session(), chosen(limits=[HOST])._replace(flow=flow))


def test_a_task_is_in_the_shard_of_its_handler_of_failures_unless_that_is_in_every_one() -> None:
    app = tq.App("tq://127.0.0.1:1", authkey="0" * 64)
    handler = app.task(jobs.double)
    assert home_of(session(), chosen(on_failure=handler.using(queue="mail"))) == shard_of_name("mail", SHARDS)
    assert home_of(session(), chosen(on_failure=handler.using(queue="{spread}failed"))) == ANY_SHARD


def test_a_part_of_a_map_is_in_one_shard_and_the_next_one_in_another() -> None:
    scattering = Scattering(session(), chosen())
    runs = [scattering.of_calls(None, {}, TURN_TASKS).calls for _ in range(SHARDS)]
    assert {shard_of_id(run.first) for [run] in runs} == set(range(SHARDS))
    again = scattering.of_calls(None, {}, TURN_TASKS)
    [part] = again.parts
    assert part.places == list(range(TURN_TASKS))
    # One array in each shard, however often it has its turn.
    assert again.calls[0].first == runs[0][0].id(TURN_TASKS)


def test_a_map_under_a_limit_that_is_divided_has_a_part_in_each_shard() -> None:
    scattering = Scattering(session(), chosen(limits=[tq.Limit("api", max_running=8)]))
    found = scattering.of_calls(None, {}, 10)
    assert sorted(part.run.length for part in found.parts) == [2, 2, 3, 3]
    assert len(found.calls) == SHARDS


def test_each_task_of_a_map_is_in_the_shard_of_its_key_and_all_are_in_the_order_of_the_calls() -> None:
    keys = [KEYS[shard] for shard in (1, 1, 3, 1, 0, 0, 3)]
    found = Scattering(session(), chosen(limits=[HOST])).of_calls(of_keys(*keys), {}, len(keys))
    assert [(shard_of_id(run.first), run.length) for run in found.calls] == [
        (1, 2),
        (3, 1),
        (1, 1),
        (0, 2),
        (3, 1),
    ]
    placed = {
        id: place for part in found.parts for place, id in zip(part.places, part.run.ids(), strict=True)
    }
    assert [placed[id] for run in found.calls for id in run.ids()] == list(range(len(keys)))
    for part in found.parts:
        assert part.columns is not None
        [(_, column)] = part.columns.limits
        assert [column.at(place) for place in range(len(part.places))] == [
            keys[place] for place in part.places
        ]


def test_tasks_of_a_map_over_handles_are_where_these_are() -> None:
    needs = {place: [a_run(shard)] for place, shard in enumerate((2, 0, 2))}
    found = Scattering(session(), chosen()).of_calls(None, needs, 3)
    assert [shard_of_id(run.first) for run in found.calls] == [2, 0, 2]


def test_a_map_of_tasks_that_may_be_the_same_is_refused() -> None:
    with pytest.raises(tq.InvalidArgument, match="cannot have unique=; submit them one by one"):
        Scattering(session(), chosen(unique=tq.Unique(by="{x}")))
