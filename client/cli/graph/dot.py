"""A flow's graph in the language of Graphviz: ``tq flow graph ID --format dot | dot -Tpng``. Pure."""

from __future__ import annotations

from ....common.runtime.cleaning import clean_line
from ...flows.graph import OUTSIDE, FlowGraph
from .labels import COLOURS, UNKNOWN_COLOUR, main_state, states_in_words, title, took, unshown


def dot(graph: FlowGraph, heading: str, now: float) -> str:
    lines = [
        "digraph flow {",
        f"  graph [label={_quoted(heading)}, labelloc=t, rankdir=LR, fontname=monospace];",
        '  node [shape=box, style="rounded,filled", fontname=monospace, fontsize=11];',
    ]
    critical, bold = set(graph.critical), graph.critical_edges
    for place, node in enumerate(graph.nodes):
        state = main_state(node)
        words = "  ".join(filter(None, (states_in_words(node), took(node, now), unshown(node))))
        colour = UNKNOWN_COLOUR if node.rank == OUTSIDE or state is None else COLOURS[state]
        label = _quoted("\n".join(filter(None, (title(node), words))))
        wide = ", penwidth=3" if place in critical else ""
        lines.append(
            f'  n{place} [label={label}, tooltip={_quoted(node.id)}, fillcolor="{colour}40", color="{colour}"{wide}];'
        )
    for place, needed in enumerate(graph.edges):
        for one in needed:
            lines.append(f"  n{one} -> n{place}{' [penwidth=3]' if (one, place) in bold else ''};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    """A string in quotation marks: in it only these and the backslash mean something."""
    rows = [clean_line(row).replace("\\", "\\\\").replace('"', '\\"') for row in text.split("\n")]
    return '"' + "\\n".join(rows) + '"'
