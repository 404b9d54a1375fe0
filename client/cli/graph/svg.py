"""A flow's graph as a drawing, which needs no other program and holds no script and no address. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from ....common.domain.model import State
from ....common.errors import InvalidArgument
from ....common.runtime.cleaning import clean_line
from ...flows.graph import FlowGraph, GraphNode
from ...flows.layout import BOX_HEIGHT, BOX_WIDTH, MARGIN, Point, layout
from .labels import COLOURS, UNKNOWN_COLOUR, WEIGHTS, cut, main_state, states_in_words, title, took, unshown

NODES_MAX: Final = 2_000  # beyond it nothing can be seen in it
HEAD: Final = 56  # above the graph
TEXT_COLUMNS: Final = 31  # of a box, in the font's size
BAR_HEIGHT: Final = 5
STYLE: Final = (
    "text{font:12px ui-monospace,monospace;fill:#1c2733}.small{font-size:11px;fill:#52606d}.head{font-size:15px;font-weight:bold}"
    "path{fill:none;stroke:#9aa5b1;stroke-width:1.5}path.long{stroke:#1c2733;stroke-width:3}"
    "rect.box{fill:#fff;stroke-width:1.5}rect.long{stroke-width:3.5}"
)


class Drawing(NamedTuple):
    """The elements of a drawing without what is around them. Sizes are in its own units."""

    text: str
    width: float
    height: float


def svg(graph: FlowGraph, heading: str, below: str, now: float) -> str:
    """``below``: a line below the heading. Raises InvalidArgument for a flow with too many nodes."""
    drawn = drawing(graph, now)
    width, height = max(drawn.width, 480.0), drawn.height + HEAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f"<title>{_text(heading)}</title><style>{STYLE}</style>",
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
        f'<text class="head" x="{MARGIN}" y="30">{_text(heading)}</text>',
        f'<text class="small" x="{MARGIN}" y="48">{_text(below)}</text>',
        f'<g transform="translate(0 {HEAD})">',
        drawn.text,
    ]
    return "\n".join([*parts, "</g></svg>", ""])


def drawing(
    graph: FlowGraph, now: float, address: Callable[[GraphNode], str | None] = lambda node: None
) -> Drawing:
    """The boxes and lines, for a page that has a style of its own. ``address``: where a box leads. Raises InvalidArgument for a flow
    with too many nodes."""
    if len(graph.nodes) > NODES_MAX:
        raise InvalidArgument(
            f"the flow has {len(graph.nodes):,} tasks that differ in what they need, and a drawing shows {NODES_MAX:,} at most: "
            "--format dot has all of them, for Graphviz"
        )
    drawn = layout([node.rank for node in graph.nodes], graph.edges)
    critical, bold = set(graph.critical), graph.critical_edges
    parts = [_line(points, (one, two) in bold) for one, two, points in drawn.lines]
    for place, (node, corner) in enumerate(zip(graph.nodes, drawn.boxes, strict=True)):
        box, to = _box(node, corner, now, is_critical=place in critical), address(node)
        parts.append(box if to is None else f'<a href="{_text(to)}">{box}</a>')
    return Drawing("\n".join(parts), drawn.width, drawn.height)


def _line(points: Sequence[Point], is_long: bool) -> str:
    """Curves between layers, straight through those that it passes."""
    (x, y), *_ = points
    path = [f"M{x:g} {y:g}"]
    for at, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        middle = (x + to_x) / 2
        path.append(f"H{to_x:g}" if at % 2 else f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
    return f'<path{" class=" + chr(34) + "long" + chr(34) if is_long else ""} d="{"".join(path)}"/>'


def _box(node: GraphNode, corner: Point, now: float, *, is_critical: bool) -> str:
    left, top = corner
    state = main_state(node)
    colour = UNKNOWN_COLOUR if state is None else COLOURS[state]
    seconds = took(node, now)
    words = unshown(node) or states_in_words(node)
    long = " long" if is_critical else ""
    return (
        f"<g><title>{_text(' · '.join(filter(None, (title(node), states_in_words(node), node.queue, node.id))))}</title>"
        f'<rect class="box{long}" x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" stroke="{colour}"/>'
        f'<text x="{left + 10:g}" y="{top + 21:g}">{_text(cut(title(node), TEXT_COLUMNS))}</text>'
        f'<text class="small" x="{left + 10:g}" y="{top + 38:g}">{_text(cut(words, TEXT_COLUMNS - len(seconds)))}</text>'
        f'<text class="small" text-anchor="end" x="{left + BOX_WIDTH - 10:g}" y="{top + 38:g}">{_text(seconds)}</text>'
        f"{_bar(node, left + 10, top + BOX_HEIGHT - BAR_HEIGHT - 5)}</g>"
    )


def _bar(node: GraphNode, left: float, top: float) -> str:
    """Of what part of its tasks is in which state."""
    parts, whole = [], sum(node.states.values())
    for state in reversed(WEIGHTS):
        if tasks := node.states.get(state):
            wide = (BOX_WIDTH - 20) * tasks / whole
            parts.append(_piece(state, left, top, wide))
            left += wide
    return "".join(parts)


def _piece(state: State, left: float, top: float, wide: float) -> str:
    return (
        f'<rect x="{left:.4g}" y="{top:g}" width="{wide:.4g}" height="{BAR_HEIGHT}" fill="{COLOURS[state]}"/>'
    )


def _text(text: str) -> str:
    """Text of others: without controls, which XML does not allow, and without markup."""
    return escape(clean_line(text), {'"': "&quot;"})
