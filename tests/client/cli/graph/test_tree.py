from __future__ import annotations

from tq.client.cli.graph import tree as trees
from tq.client.cli.graph.tree import tree
from tq.client.flows.graph import graph_of
from tq.common.runtime.cleaning import clean

from ...flows.test_graph import row
from .graphs import HOSTILE, hostile


def test_each_node_stands_once_below_what_it_waited_for() -> None:
    lines = [str(line) for line in tree(hostile(), 9.0)]
    assert lines[0] == "◆ jobs:fetch ×3  3 succeeded  1.0 s"
    assert lines[1].startswith("├─ ◆ jobs:<script>")
    assert lines[1].endswith("failed  3.5 s")
    assert lines[2] == "│  ↓ ◆ jobs:report  ready  needs also jobs:fetch ×3"
    assert lines[3] == "└─ jobs:thumb  succeeded  1.0 s"
    assert HOSTILE not in "\n".join(lines)
    assert clean("\n".join(lines)) == "\n".join(lines)


def test_a_long_chain_stays_on_the_screen_and_what_is_too_much_is_counted() -> None:
    chain = graph_of(
        [row(100, "step"), *(row(101 + place, "step", (100 + place, 1)) for place in range(599))]
    )
    lines = tree(chain, 9.0)
    assert str(lines[499]) == "↓ ◆ step  succeeded  1.0 s"
    assert str(lines[500]) == "… and 100 more"
    assert len(lines) == trees.LINES_MAX + 1


def test_many_needs_are_counted() -> None:
    rows = [row(100 * place, f"n{place}") for place in range(1, 7)]
    graph = graph_of([*rows, row(900, "join", *((100 * place, 1) for place in range(1, 7)), left_out=7)])
    [last] = [str(line) for line in tree(graph, 9.0) if "join" in line.title]
    assert last.endswith("needs also n2, n3, n4 and 2 others  needs 7 more that are not drawn")
