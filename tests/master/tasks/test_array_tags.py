"""Indexed arguments of maps, on the shipped engine: found, shown and changed as if each task had been submitted by itself."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from tq.common.domain.argument_index import IndexColumns
from tq.common.domain.ids import IdSource, consecutive_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import InvalidArgument
from tq.master.tasks.selection import VISITED_MAX

from ..conftest import Bench, Peer
from .test_explain import finish, lease
from .test_lines import lines
from .test_selection import counted, fail, performed

READY, SUCCEEDED, FAILED, CANCELLED = (
    int(state)
    for state in (StateNumber.READY, StateNumber.SUCCEEDED, StateNumber.FAILED, StateNumber.CANCELLED)
)


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def submit(peer: Peer, customers: list[str], **options: Any) -> list[bytes]:
    """A map, one call for all."""
    ids = consecutive_ids(IdSource().take(len(customers)), len(customers))
    again(peer, ids, customers, **options)
    return ids


def again(peer: Peer, ids: list[bytes], customers: list[str], **options: Any) -> Any:
    index = IndexColumns((("arg.customer", TextColumn.of(customers)),))
    tasks = [[id, b"x"] for id in ids]
    columns = {"index": index.to_wire()}
    return peer.call(
        "get_task_queue/q", "submit", "m:f", options, tasks, None, None, None, None, None, columns
    )


def of(*customers: str) -> dict[str, Any]:
    return {"tags": {"arg.customer": list(customers)}}


def found(peer: Peer, wanted: dict[str, Any]) -> Counter[int]:
    """By state, as lines say it: those of arrays, and single ones."""
    states = Counter[int]()
    for row in lines(peer, wanted):
        states.update(dict(row["states"]) if "tasks" in row else {row["state"]: 1})
    return states


def tags(peer: Peer, id: bytes) -> dict[str, str]:
    shown: dict[str, str] = peer.call("get_tasks", "show", id)["tags"]
    return shown


def test_tasks_of_a_map_are_found_by_what_each_of_them_was_given(client: Peer) -> None:
    ids = submit(client, ["ann", "ben", "", "ann"] * 10, tags={"shop": "north"})
    assert counted(client, of("ann")) == {READY: 20}
    assert counted(client, of("a*", "ben")) == {READY: 30}
    assert counted(client, of("cid")) == {}
    assert counted(client, {"tags": {"arg.customer": ["ann"], "shop": ["north"]}}) == {READY: 20}
    assert counted(client, {"tags": {"arg.customer": ["ann"], "shop": ["south"]}}) == {}
    assert counted(client, {"tags": {"arg.other": ["ann"]}}) == {}
    assert counted(client, of("*")) == {READY: 30}, "what is empty has no tag"
    assert [tags(client, id) for id in ids[:3]] == [
        {"arg.customer": "ann", "shop": "north"},
        {"arg.customer": "ben", "shop": "north"},
        {"shop": "north"},
    ]


def test_a_line_says_some_of_what_its_tasks_are_found_by(client: Peer) -> None:
    submit(client, [f"c{number}" for number in range(40)])
    submit(client, ["", "ann"] * 10)
    assert [row["index"] for row in lines(client)] == [
        {"arg.customer": ["ann"]},
        {"arg.customer": [f"c{number}" for number in range(10)]},
    ]


def test_an_action_takes_the_meant_tasks_of_a_map_and_no_other(bench: Bench, client: Peer) -> None:
    submit(client, ["ann", "ben"] * 50)
    assert sum(performed(client, "cancel_where", of("ann"))) == 50
    assert counted(client, {}) == {READY: 50, CANCELLED: 50}
    assert counted(client, {**of("ben"), "states": [READY]}) == {READY: 50}
    fail(bench.worker("m:f"), 10, "ValueError: no")
    assert sum(performed(client, "retry_where", {**of("ben"), "errors": ["ValueError"]})) == 10
    assert counted(client, of("ben")) == {READY: 50}


def test_a_task_that_was_stored_by_itself_has_them_among_its_tags(bench: Bench, client: Peer) -> None:
    # A single one, one of which no array can have the ids, and one that a waiting worker gets at once.
    [alone] = submit(client, ["ann"])
    ids = submit(client, ["ben", "cid", "dan"])
    assert sum(performed(client, "purge", of("cid"))) == 1
    assert again(client, ids, ["ben", "cid", "dan"]) == 1
    assert [tags(client, id)["arg.customer"] for id in (alone, *ids)] == ["ann", "ben", "cid", "dan"]
    assert [counted(client, of(name)) for name in ("ann", "ben", "cid", "dan")] == [{READY: 1}] * 4


def test_whatever_happens_to_its_tasks_a_map_is_found_as_a_model_says(bench: Bench, client: Peer) -> None:
    chance = random.Random(15)  # noqa: S311 - the same cases every time
    known = dict[bytes, tuple[str, int]]()
    worker = bench.worker("m:f")
    for size in (30, 1, 200, 15, 40):
        customers = [chance.choice(["ann", "ben", "cid", ""]) for _ in range(size)]
        known.update(
            {id: (name, READY) for id, name in zip(submit(client, customers), customers, strict=True)}
        )
    held = lease(worker, 120)
    chance.shuffle(held)
    finish(worker, held[:60])
    known.update({one[0]: (known[one[0]][0], SUCCEEDED) for one in held[:60]})
    gone = [id for id, (_, state) in known.items() if state == READY and id not in {one[0] for one in held}]
    cancelled = chance.sample(gone, 40)
    client.call("get_tasks", "cancel", cancelled)
    known.update({id: (known[id][0], CANCELLED) for id in cancelled})
    for restarted in (False, True):
        if restarted:
            client = Bench(bench.engine.store, now=bench.now).client(role=Role.ADMIN)  # type: ignore[arg-type]
        for name in ("ann", "ben", "cid", "*"):
            meant = Counter(state for text, state in known.values() if text and name in (text, "*"))
            assert Counter(counted(client, of(name))) == meant, name
            assert found(client, of(name)) == meant, name
            one = {**of(name), "states": [SUCCEEDED]}
            assert counted(client, one) == ({SUCCEEDED: meant[SUCCEEDED]} if meant[SUCCEEDED] else {})
    for id, (name, _) in chance.sample(sorted(known.items()), 30):
        assert tags(client, id).get("arg.customer", "") == name


def test_a_portion_of_a_filter_that_finds_little_among_many_maps_is_bounded(client: Peer) -> None:
    for _ in range(12):
        submit(client, [f"c{number}" for number in range(1_000)])
    answer, portions = client.call("get_tasks", "select", of("c7"), 0, None), 1
    tasks = sum(some for _, some in answer["states"])
    while answer["before"] is not None:
        answer = client.call("get_tasks", "select", of("c7"), 0, answer["before"])
        tasks += sum(some for _, some in answer["states"])
        portions += 1
    assert tasks == 12
    assert portions <= 12 * 1_000 // VISITED_MAX + 1


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ({}, "an index is a map of 1 to 16 names"),
        ([], "an index is a map of 1 to 16 names"),
        ({"customer": "ann"}, "names of arguments"),
        ({"arg.customer": [["ann"], [0, 1]]}, "places in its texts"),
        ({"arg.customer": "two\nlines"}, "printable"),
        ({"arg.customer": "x" * 257}, "at most 256"),
        ({f"arg.a{number}": "x" for number in range(17)}, "an index is a map of 1 to 16 names"),
        ({"arg.shop": "x"}, "arg.shop is among tags= and in index="),
    ],
)
def test_an_index_that_is_none_is_refused(client: Peer, index: Any, why: str) -> None:
    ids = consecutive_ids(IdSource().take(2), 2)
    options = {"tags": {"arg.shop": "north"}}
    rest = None, None, None, None, None, {"index": index}
    with pytest.raises(InvalidArgument) as refused:
        client.call("get_task_queue/q", "submit", "m:f", options, [[id, b""] for id in ids], *rest)
    assert why in str(refused.value)
