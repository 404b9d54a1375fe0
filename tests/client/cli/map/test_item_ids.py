"""In which shard the tasks of a run are, and that a run that goes on names the same ones."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, cast

import pytest
import tq
from tq.client.cli.map.item_ids import ItemIds
from tq.client.cli.map.item_lanes import ItemLanes
from tq.client.tasks.options import choose
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import shard_of_id, shard_of_name

SHARDS = 4
FETCH = "{spread}fetch"
RUN = new_ids()


class Session:
    shards = SHARDS


def ids_of(queue: str, *limits: tq.Limit) -> ItemIds:
    choice = choose({"queue": queue, "limits": limits})
    return ItemIds(cast(Any, Session()), choice, ItemLanes(choice, "m:f"))


def numbers(ids: list[bytes], shard: int) -> list[int]:
    return [int.from_bytes(id, "big") for id in ids if shard_of_id(id) == shard]


def is_one_run(ids: list[int]) -> bool:
    return all(behind == before + 1 for before, behind in pairwise(ids))


def test_items_of_a_queue_in_one_shard_are_neighbours_there() -> None:
    ids = ids_of("fetch")
    assert ids.shard == shard_of_name("fetch", SHARDS)
    assert is_one_run([int.from_bytes(ids.of(RUN, number), "big") for number in range(1, 3_000)])


@pytest.mark.parametrize(
    ("limits", "neighbours"),
    [((), 1_000), ((tq.Limit("smtp", max_running=8),), 1)],
    ids=["no limit", "a limit that is divided"],
)
def test_of_a_queue_in_every_shard_each_has_a_part_of_consecutive_ids(
    limits: tuple[tq.Limit, ...], neighbours: int
) -> None:
    ids = [ids_of(FETCH, *limits).of(RUN, number) for number in range(1, 8_001)]
    assert len(set(ids)) == len(ids)
    assert all(abs(some - 2_000) <= 1 for some in Counter(map(shard_of_id, ids)).values())
    assert all(is_one_run(numbers(ids, shard)) for shard in range(SHARDS))
    shards = [shard_of_id(id) for id in ids[neighbours - 1 : 2 * neighbours - 1]]
    assert len(set(shards)) == 1, "from the second block on they begin where a block does"
    assert ids == [ids_of(FETCH, *limits).of(RUN, number) for number in range(1, 8_001)], "and again the same"


def test_an_item_is_in_the_shard_of_its_key_in_a_limit_that_has_one_for_each() -> None:
    host = tq.Limit("{spread}host", max_running=1, by="{host}")
    ids = ids_of(FETCH, host)
    of = {name: ids.of(RUN, number, (name,)) for number, name in enumerate(["a.example", "b.example", "c"])}
    assert {name: shard_of_id(id) for name, id in of.items()} == {
        name: shard_of_name(name, SHARDS) for name in of
    }
    assert len(set(of.values())) == len(of)
    both = ids_of(FETCH, host, tq.Limit("{spread}user", max_running=1, by="{user}"))
    with pytest.raises(tq.InvalidArgument, match="here these differ: 'a', 'b'"):
        both.of(RUN, 1, ("a", "b"))
