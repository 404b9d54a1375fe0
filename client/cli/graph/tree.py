"""A flow's graph as lines of text: each node stands below the one that it waited for longest. Pure.

::

    ◆ jobs:fetch ×50  50 succeeded  3.2 s
    ├─ ◆ jobs:parse ×50  48 succeeded, 2 failed  9.1 s
    │  ↓ ◆ jobs:total  blocked
    └─ jobs:thumb  succeeded  0.4 s

What stands alone below another one follows an arrow, without being moved to the right: a chain of a thousand stays on the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ....common.domain.model import State
from ...flows.graph import FlowGraph, lateness
from .labels import cut, main_state, states_in_words, title, took, unshown

LINES_MAX: Final = 500
ALSO_MAX: Final = 3  # other needs that are named
CRITICAL: Final = "◆ "


class TreeLine(NamedTuple):
    lead: str  # what leads to it
    title: str
    states: str
    state: State | None  # whose colour it has
    rest: str

    def __str__(self) -> str:
        return self.lead + "  ".join(filter(None, (self.title, self.states, self.rest)))


def tree(graph: FlowGraph, now: float) -> list[TreeLine]:
    """At most LINES_MAX lines; more are counted in a last one."""
    parents = [
        max(needed, key=lambda one: (lateness(graph.nodes[one]), -one)) if needed else None
        for needed in graph.edges
    ]
    critical, lines = set(graph.critical), list[TreeLine]()
    for place, lead in _walk(parents):
        if len(lines) == LINES_MAX:
            lines.append(TreeLine("", f"… and {len(graph.nodes) - LINES_MAX:,} more", "", None, ""))
            break
        node = graph.nodes[place]
        others = [title(graph.nodes[one]) for one in graph.edges[place] if one != parents[place]]
        rest = filter(None, (took(node, now), _also(others), unshown(node)))
        mark = CRITICAL if place in critical else ""
        lines.append(
            TreeLine(lead, mark + title(node), states_in_words(node), main_state(node), "  ".join(rest))
        )
    return lines


def _walk(parents: list[int | None]) -> Iterator[tuple[int, str]]:
    """Nodes with what leads to them, without recursion: a chain may be as long as a flow."""
    below: dict[int | None, list[int]] = {}
    for place, parent in enumerate(parents):
        below.setdefault(parent, []).append(place)
    stack = [(place, "", "") for place in reversed(below.get(None, []))]
    while stack:
        place, lead, under = stack.pop()
        yield place, lead
        some = below.get(place, [])
        if len(some) == 1:
            stack.append((some[0], under + "↓ ", under))
            continue
        for at in reversed(range(len(some))):
            branch, rest = ("└─ ", "   ") if at == len(some) - 1 else ("├─ ", "│  ")
            stack.append((some[at], under + branch, under + rest))


def _also(others: list[str]) -> str:
    if not others:
        return ""
    more = f" and {len(others) - ALSO_MAX:,} others" if len(others) > ALSO_MAX else ""
    return "needs also " + ", ".join(cut(one, 40) for one in others[:ALSO_MAX]) + more
