"""A flow as a graph: which of its tasks are alike, what needs what, and the path that took longest. Pure.

::

    rows of the master ─► ranks ─► nodes: tasks that are alike, and stand side by side ─► edges ─► the critical path

The rank of tasks is how many others, one after the other, come before them. Neighbours by their ids are one node if they have the same
name and rank and need the same, or each the next one: so ten thousand tasks of a loop are one node, as a map is.

Invariants: 1. each task is in one node; 2. an edge goes from a lower rank to a higher one, so there is no cycle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from ...common.contract.flows import GraphRow
from ...common.contract.rows import all_from_wire
from ...common.contract.tasks import StateCount
from ...common.domain.id_runs import run_from_wire
from ...common.domain.ids import show_id
from ...common.domain.model import State

OUTSIDE: Final = -1  # the rank of tasks that are needed and not of the flow


@dataclass(frozen=True, kw_only=True)
class GraphNode:
    """Tasks that are alike. ``first``: the first id, as a number. ``needs``: ids of the tasks that they need, ``(first, how many)``;
    ``each``: the i-th needs the i-th. ``unshown``: so many runs of needs are not known."""

    first: int
    tasks: int
    queue: str
    name: str
    rank: int = 0
    states: Mapping[State, int] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    each: bool = False
    needs: tuple[tuple[int, int], ...] = ()
    unshown: int = 0

    @property
    def end(self) -> int:
        return self.first + self.tasks

    @property
    def id(self) -> str:
        return show_id(self.first.to_bytes(16, "big"))

    @property
    def has_ended(self) -> bool:
        return all(state.is_terminal for state in self.states)

    def seconds(self, now: float) -> float | None:
        """From the first start to the last end, or until now; None: none has started."""
        if self.started is None:
            return None
        end = self.finished if self.has_ended else now
        return None if end is None else max(0.0, end - self.started)


@dataclass(frozen=True, kw_only=True)
class FlowGraph:
    """``edges``: of each node, by its place in ``nodes``, the places of those that it needs. ``critical``: the path that took longest, in
    order."""

    nodes: Sequence[GraphNode]
    edges: Sequence[Sequence[int]]
    critical: Sequence[int]

    @property
    def critical_edges(self) -> set[tuple[int, int]]:
        return set(pairwise(self.critical))

    def seconds(self, now: float) -> float | None:
        """How long the critical path took so far."""
        path = [self.nodes[place] for place in self.critical]
        starts = [node.started for node in path if node.started is not None]
        if not starts:
            return None
        ends = [node.finished for node in path if node.has_ended and node.finished is not None]
        return max(ends, default=now) - min(starts) if path[-1].has_ended else now - min(starts)


def graph_of(rows: Iterable[Any]) -> FlowGraph:
    """``rows``: what the master's ``graph`` answers."""
    nodes = merged(ranked(nodes_of(rows)))
    nodes += _outside(nodes)
    nodes.sort(key=lambda node: (node.rank, node.first))
    edges = _edges(nodes)
    return FlowGraph(nodes=nodes, edges=edges, critical=_critical(nodes, edges))


def nodes_of(rows: Iterable[Any]) -> list[GraphNode]:
    """As they were submitted, each row by itself."""
    return [_node(row) for row in all_from_wire(GraphRow, list(rows))]


def _node(row: GraphRow) -> GraphNode:
    counts = all_from_wire(StateCount, row.states)
    runs = [run for run in map(run_from_wire, row.needs) if run is not None]
    return GraphNode(
        first=int.from_bytes(row.first, "big"),
        tasks=row.tasks,
        queue=row.queue,
        name=row.name,
        states={State.from_number(one.state): one.tasks for one in counts},
        started=row.started,
        finished=row.finished,
        each=row.each,
        needs=tuple((int.from_bytes(run.first, "big"), run.length) for run in runs),
        unshown=row.left_out,
    )


class NodePlaces:
    """Which nodes have the tasks of a run."""

    def __init__(self, nodes: Sequence[GraphNode]) -> None:
        self._order = sorted(range(len(nodes)), key=lambda place: nodes[place].first)
        self._nodes = nodes
        self._firsts = [nodes[place].first for place in self._order]

    def of(self, first: int, tasks: int) -> list[int]:
        # One before: a node that begins earlier may reach into the run.
        begin = max(0, bisect_right(self._firsts, first) - 1)
        found = []
        for at in range(begin, len(self._order)):  # no copy: it is asked for each need
            place = self._order[at]
            node = self._nodes[place]
            if node.first >= first + tasks:
                break
            if node.end > first:
                found.append(place)
        return found


def ranked(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """What is needed was submitted before, so it comes first in the order of submission."""
    places, ranks = NodePlaces(nodes), [0] * len(nodes)
    for place, node in enumerate(nodes):
        needed = [ranks[one] for run in node.needs for one in places.of(*run) if one != place]
        ranks[place] = 1 + max(needed) if needed else 0
    return [replace(node, rank=rank) for node, rank in zip(nodes, ranks, strict=True)]


def merged(nodes: Iterable[GraphNode]) -> list[GraphNode]:
    found: list[GraphNode] = []
    for node in sorted(nodes, key=lambda one: one.first):
        last = found[-1] if found else None
        both = None if last is None else _joined(last, node)
        if both is None:
            found.append(node)
        else:
            found[-1] = both
    return found


def _joined(one: GraphNode, two: GraphNode) -> GraphNode | None:
    """Both as one node, if they are alike."""
    alike = (one.end, one.name, one.queue, one.rank) == (two.first, two.name, two.queue, two.rank)
    if not alike or one.unshown or two.unshown:
        return None
    needs, each = one.needs, one.each
    if one.needs != two.needs:
        # Different needs are alike only if each task needs the next one in line, as behind a map.
        if not (_is_each(one) and _is_each(two)):
            return None
        [(first, tasks)], [(following, more)] = one.needs, two.needs
        if following != first + tasks:
            return None
        needs, each = ((first, tasks + more),), True
    elif each and one.needs:
        return None
    return replace(
        one,
        tasks=one.tasks + two.tasks,
        states=Counter(one.states) + Counter(two.states),
        # ``filter(None, …)``: parts that have not started have no time.
        started=min(filter(None, (one.started, two.started)), default=None),
        finished=max(filter(None, (one.finished, two.finished)), default=None),
        needs=needs,
        each=each,
    )


def _is_each(node: GraphNode) -> bool:
    return len(node.needs) == 1 and node.needs[0][1] == node.tasks and (node.each or node.tasks == 1)


def _outside(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """Nodes for what is needed and is not of the flow, or not there any more."""
    places = NodePlaces(nodes)
    runs = {run for node in nodes for run in node.needs if not places.of(*run)}
    return [GraphNode(first=first, tasks=tasks, queue="", name="", rank=OUTSIDE) for first, tasks in runs]


def _edges(nodes: Sequence[GraphNode]) -> list[list[int]]:
    places = NodePlaces(nodes)
    return [
        # Only upwards: nodes that were merged may need parts of themselves.
        sorted({one for run in node.needs for one in places.of(*run) if nodes[one].rank < node.rank})
        for node in nodes
    ]


def _critical(nodes: Sequence[GraphNode], edges: Sequence[Sequence[int]]) -> list[int]:
    """Backwards from what ended last, or will, each time to what the task waited for longest."""
    own = [place for place, node in enumerate(nodes) if node.rank != OUTSIDE]
    if not own:
        return []
    path = [max(own, key=lambda place: lateness(nodes[place]))]
    while needed := [one for one in edges[path[-1]] if nodes[one].rank != OUTSIDE]:
        path.append(max(needed, key=lambda place: lateness(nodes[place])))
    return path[::-1]


def lateness(node: GraphNode) -> tuple[bool, float, int]:
    """By which nodes are ordered as they end: those that have not ended come last, the deepest of them at the end."""
    if node.has_ended:
        return False, node.finished or 0.0, node.rank
    return True, float(node.rank), node.rank
