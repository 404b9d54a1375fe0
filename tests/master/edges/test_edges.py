"""Tasks that need tasks of other shards, in two engines: nothing is lost, nothing counts twice, nothing waits for ever."""

from __future__ import annotations

from tq.common.values.codec import encode

from .conftest import Cluster


def test_a_task_waits_for_one_of_another_shard_and_gets_its_result(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    stored = b.submit(needs=[page.first])
    assert b.state(stored) == "blocked"
    cluster.settle()
    assert b.state(stored) == "blocked"
    assert a.lease() == [page.first]
    a.finish(page.first, value="text")
    cluster.settle()
    assert b.state(stored) == "ready"
    assert b.lease() == [stored.first]
    assert b.carried(stored) == [[page.first, 10, [encode("text")]]]
    assert (a.tables()["promises"], b.tables()["mirror"]) == (1, 1)
    b.finish(stored.first)
    cluster.settle()
    for shard in (a, b):
        assert shard.edges.expects() == set()
        assert {name: rows for name, rows in shard.tables().items() if rows and name != "out"} == {}
