"""A cluster of one shard does not know of others: no part, no statement, no row."""

from __future__ import annotations

import pytest
from tq.master.edges.edges import Edges
from tq.master.edges.lines import EdgeLines

from ..conftest import Bench
from ..dependencies.conftest import ERROR, Graph


@pytest.fixture
def database() -> str:
    """Its statements are those of the working copy of a database, too."""
    return "sqlite"


def test_one_shard_pays_nothing_for_needs_between_shards(bench: Bench) -> None:
    for kind in (Edges, EdgeLines):
        with pytest.raises(KeyError):
            bench.engine.part(kind)
    statements: list[str] = []
    store = bench.engine.store
    store._db.set_trace_callback(statements.append)  # type: ignore[attr-defined]
    graph = Graph(bench)
    pages = graph.submit(3)
    graph.submit(3, each=pages)
    merged = graph.submit(needs=[pages], on_error="collect")
    leased = graph.lease()
    graph.finish(*leased[:2])
    graph.finish(leased[2], outcome=ERROR)
    graph.run_all()
    graph.client.call("get_tasks", "retry", [leased[2]])
    graph.client.call("get_tasks", "purge", {"ids": [merged.first, 1]})
    graph.restart()
    store._db.set_trace_callback(None)  # type: ignore[attr-defined]
    assert len(statements) > 30
    assert [sql for sql in statements if "edges_" in sql] == []
