"""A flow as a graph: which tasks are one node, what needs what, and the critical path."""

from __future__ import annotations

from typing import Any

from tq.client.flows.graph import OUTSIDE, FlowGraph, graph_of
from tq.common.domain.model import StateNumber

READY, RUNNING, DONE, FAILED = (
    int(state)
    for state in (StateNumber.READY, StateNumber.RUNNING, StateNumber.SUCCEEDED, StateNumber.FAILED)
)


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def row(
    first: int,
    name: str,
    *needs: tuple[int, int],
    tasks: int = 1,
    each: bool = False,
    state: int = DONE,
    times: tuple[float | None, float | None] = (1.0, 2.0),
    left_out: int = 0,
) -> list[Any]:
    runs = [[id_of(one), many] if many > 1 else id_of(one) for one, many in needs]
    return [id_of(first), tasks, "default", name, [[state, tasks]], *times, each, runs, left_out]


def shape(graph: FlowGraph) -> list[tuple[str, int, list[str]]]:
    return [
        (node.name, node.tasks, [graph.nodes[one].name for one in needed])
        for node, needed in zip(graph.nodes, graph.edges, strict=True)
    ]


def test_a_map_is_a_node_and_so_are_tasks_of_a_loop() -> None:
    graph = graph_of(
        [
            row(100, "fetch", tasks=50),
            row(200, "parse", (100, 50), tasks=50, each=True),
            *(row(300 + number, "thumb") for number in range(4)),
            row(400, "total", (200, 50), (300, 4)),
        ]
    )
    assert shape(graph) == [
        ("fetch", 50, []), ("thumb", 4, []), ("parse", 50, ["fetch"]), ("total", 1, ["thumb", "parse"]),
    ]  # fmt: skip
    assert graph.nodes[1].states == {"succeeded": 4}


def test_chains_of_a_loop_are_one_chain_of_many() -> None:
    rows = []
    for number in range(10):
        rows += [row(100 + number, "fetch"), row(200 + number, "parse", (100 + number, 1))]
    assert shape(graph_of(rows)) == [("fetch", 10, []), ("parse", 10, ["fetch"])]


def test_a_chain_of_alike_tasks_is_as_long_as_it_is_and_one_that_goes_back_and_forth_has_no_cycle() -> None:
    chain = graph_of([row(100, "step"), *(row(101 + place, "step", (100 + place, 1)) for place in range(5))])
    assert [len(needed) for needed in chain.edges] == [0, 1, 1, 1, 1, 1]
    rows = [row(100, "a")]
    for place in range(3):
        rows += [row(200 + place, "b", (100 + place, 1)), row(101 + place, "a", (200 + place, 1))]
    back_and_forth = graph_of(rows)
    assert [node.rank for node in back_and_forth.nodes] == list(range(7))
    assert len(back_and_forth.critical) == 7


def test_what_is_needed_and_not_of_the_flow_is_a_node_of_its_own() -> None:
    graph = graph_of([row(100, "total", (7, 3), (50, 1), left_out=2)])
    assert [(node.tasks, node.rank) for node in graph.nodes] == [(3, OUTSIDE), (1, OUTSIDE), (1, 0)]
    assert (graph.edges[2], graph.nodes[2].unshown) == ([0, 1], 2)
    assert graph.critical == [2]


def test_the_critical_path_is_what_was_waited_for_longest() -> None:
    graph = graph_of(
        [
            row(100, "fast", times=(1.0, 2.0)),
            row(200, "slow", times=(1.5, 9.0)),
            row(300, "join", (100, 1), (200, 1), times=(9.0, 11.0)),
            row(400, "aside", times=(1.0, 10.0)),
        ]
    )
    assert [graph.nodes[place].name for place in graph.critical] == ["slow", "join"]
    assert graph.seconds(99.0) == 9.5
    assert graph.critical_edges == {(graph.critical[0], graph.critical[1])}


def test_the_critical_path_of_a_flow_that_goes_on_ends_at_the_deepest_that_waits() -> None:
    graph = graph_of(
        [
            row(100, "long", state=RUNNING, times=(5.0, None)),
            row(200, "short", times=(1.0, 20.0)),
            row(300, "join", (100, 1), (200, 1), state=READY, times=(None, None)),
            row(400, "busy", state=RUNNING, times=(1.0, None)),
        ]
    )
    assert [graph.nodes[place].name for place in graph.critical] == ["long", "join"]
    assert graph.seconds(15.0) == 10.0
    assert [node.seconds(15.0) for node in graph.nodes] == [10.0, 19.0, 14.0, None]


def test_a_flow_without_tasks_has_no_path() -> None:
    graph = graph_of([])
    assert (graph.nodes, graph.critical, graph.seconds(1.0)) == ([], [], None)
