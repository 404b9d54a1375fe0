"""Flows to be drawn."""

from __future__ import annotations

from tq.client.flows.graph import FlowGraph, graph_of

from ...flows.test_graph import DONE, FAILED, READY, row

HOSTILE = 'jobs:<script>alert(1)</script>\x1b[31m"]; evil -> \\N\x07\u202e&amp;'


def hostile() -> FlowGraph:
    """Three in a row and one aside, of which one is named by an attacker."""
    return graph_of(
        [
            row(100, "jobs:fetch", tasks=3),
            row(200, HOSTILE, (100, 3), state=FAILED, times=(2.0, 5.5)),
            row(300, "jobs:report", (200, 1), (100, 3), state=READY, times=(None, None)),
            row(400, "jobs:thumb", (100, 3), state=DONE),
        ]
    )
