"""What it takes to run a flow again from one of its tasks on. Pure.

::

    needed ──┐
             ├──► needs both          the task, all that need it, one after the other, and what these need besides
    task ────┘

Invariant: what a task needs was submitted before it, so one pass in the order of submission finds all that need a task, and one against it
all that these need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...common.domain.id_runs import IdRun
from ...common.domain.model import TASK_ID_BYTES, State
from ...common.errors import InvalidArgument
from .graph import GraphNode, NodePlaces, nodes_of

Part = tuple[int, int]  # ids, as numbers: the first one, and the one behind the last


def from_task(rows: Iterable[Any], task: bytes) -> list[IdRun]:
    """Of the rows of a graph: the task and all others that have to run again, but for those of which all have succeeded. Raises
    InvalidArgument."""
    nodes = nodes_of(rows)
    places = NodePlaces(nodes)
    number = int.from_bytes(task, "big")
    found = places.of(number, 1)
    if not found:
        raise InvalidArgument("the task is not one of this flow")
    meant: list[list[Part]] = [[] for _ in nodes]
    meant[found[0]].append((number, number + 1))
    for place in range(found[0], len(nodes)):
        meant[place] = _joined([*meant[place], *_that_need(nodes, places, place, meant, found[0])])
    for place in reversed(range(len(nodes))):
        meant[place] = _joined(meant[place])
        for part in meant[place]:
            for first, stop in _needed(nodes[place], part):
                for other in places.of(first, stop - first):
                    if other < place and (both := _both((first, stop), _all_of(nodes[other]))):
                        meant[other].append(both)
    return [
        IdRun(first.to_bytes(TASK_ID_BYTES, "big"), stop - first)
        for node, parts in zip(nodes, meant, strict=True)
        if node.states.keys() != {State.SUCCEEDED}
        for first, stop in parts
    ]


def _that_need(
    nodes: Sequence[GraphNode],
    places: NodePlaces,
    place: int,
    meant: Sequence[Sequence[Part]],
    start: int,
) -> list[Part]:
    """The parts of a node that need something which is meant."""
    node, reached = nodes[place], list[Part]()
    for first, tasks in node.needs:
        for other in places.of(first, tasks):
            for part in meant[other] if other < place else ():
                both = _both((first, first + tasks), part)
                if both and node.each:
                    reached.append((node.first + both[0] - first, node.first + both[1] - first))
                elif both:
                    return [_all_of(node)]
    # Of a task that needs very many not all are known: it may need this one.
    return [_all_of(node)] if node.unshown and place > start else reached


def _needed(node: GraphNode, part: Part) -> list[Part]:
    if node.each and node.needs:
        [(first, _)] = node.needs
        return [(first + part[0] - node.first, first + part[1] - node.first)]
    return [(first, first + tasks) for first, tasks in node.needs]


def _all_of(node: GraphNode) -> Part:
    return node.first, node.end


def _both(one: Part, two: Part) -> Part | None:
    first, stop = max(one[0], two[0]), min(one[1], two[1])
    return (first, stop) if first < stop else None


def _joined(parts: list[Part]) -> list[Part]:
    """The same ids, each once."""
    found: list[Part] = []
    for first, stop in sorted(parts):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((first, stop))
    return found
