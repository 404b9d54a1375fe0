from __future__ import annotations

from tq.client.cli.graph.command import critical_path, for_programs
from tq.client.flows.graph import graph_of

from ...flows.test_graph import row
from .graphs import hostile


def test_the_critical_path_is_one_line_and_of_a_long_one_the_ends_are_named() -> None:
    assert critical_path(hostile(), 9.0).startswith("◆ critical path, 8.0 s: jobs:fetch ×3 → jobs:<script>")
    chain = graph_of(
        [row(100, "s0"), *(row(101 + place, f"s{place + 1}", (100 + place, 1)) for place in range(11))]
    )
    assert critical_path(chain, 9.0).endswith("s0 → s1 → s2 → s3 → 4 others → s8 → s9 → s10 → s11")
    assert critical_path(graph_of([]), 9.0) == ""


def test_programs_get_nodes_and_what_they_need() -> None:
    given = for_programs(hostile(), 9.0)
    fetch, failed, *_ = given["nodes"]
    assert (fetch["tasks"], fetch["states"], fetch["needs"]) == (3, {"succeeded": 3}, [])
    assert (failed["seconds"], failed["needs"]) == (3.5, [fetch["id"]])
    assert given["critical"][0] == fetch["id"]
