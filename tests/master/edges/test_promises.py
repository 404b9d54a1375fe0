"""What another shard needs of this one: it is kept as long as it is needed, and it gets to know all ends in bounded portions."""

from __future__ import annotations

import pytest
from tq.common.values.codec import encode
from tq.master.edges import lines
from tq.master.edges.bodies import EdgeKind, unpack_row

from ..dependencies.conftest import one
from .conftest import Cluster


def ends(cluster: Cluster) -> list[list[int]]:
    """Of the rows with ends that were carried to the second shard: how many tasks each of its spans has."""
    rows = [row for of, _, row in cluster.carrier.carried if of == 0 and row.kind == EdgeKind.ENDED]
    return [[span.run.length for _, span in unpack_row(row)] for row in rows]


def test_what_is_needed_elsewhere_is_kept_until_it_is_released(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages, slow = a.submit(3), a.submit()
    merged = b.submit(needs=[pages, slow])
    cluster.settle()
    a.finish(*a.lease(3))
    a.bench.advance(2 * 24 * 3600)
    cluster.restart(0)
    a.bench.advance(24 * 3600)
    a.client.call("get_tasks", "purge", {"ids": [pages.first, 3]})
    assert a.states(pages) == ["succeeded"] * 3
    a.run_all()
    cluster.settle()
    assert b.run_all() == [merged.first]
    cluster.settle()
    a.client.call("get_tasks", "purge", {"ids": [pages.first, 3]})
    assert a.states(pages) == ["unknown"] * 3


def test_a_result_that_is_needed_elsewhere_is_kept_though_its_own_options_drop_it(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page, other = a.submit(result="none"), a.submit(result="none")
    merged = b.submit(needs=[page])
    cluster.settle()
    leased = a.lease()
    assert set(leased) == {page.first, other.first}
    a.finish(*leased, value="text")
    cluster.settle()
    assert b.lease() == [merged.first]
    assert b.carried(merged) == [[page.first, 10, [encode("text")]]]


def test_tasks_that_end_together_are_said_in_one_row_and_once(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(20)
    b.submit(needs=[pages])
    b.submit(needs=[one(pages, 3), one(pages, 4)])
    cluster.settle()
    a.run_all()
    cluster.settle()
    assert ends(cluster) == [[20]]


def test_many_that_have_ended_are_answered_in_portions_of_tasks_and_of_bytes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "ROW_TASKS", 40)
    monkeypatch.setattr("tq.master.edges.promises.ROW_TASKS", 40)
    a, b = cluster[0], cluster[1]
    small, large = a.submit(100), a.submit(10)
    leased = a.lease()
    a.finish(*leased[:100])
    a.finish(*leased[100:], value="x" * 200_000)
    merged = b.submit(needs=[small, large])
    cluster.settle()
    said = ends(cluster)
    assert sum(sum(spans) for spans in said) == 110
    assert max(map(sum, said)) <= 40
    assert b.lease() == [merged.first]


def test_what_is_hidden_or_gone_costs_no_row_for_each(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(500)
    a.run_all()
    a.client.call("get_tasks", "purge", {"ids": [pages.first, 500]})
    merged = b.submit(needs=[pages], on_error="collect")
    cluster.settle()
    assert ends(cluster) == [[500]]
    assert max(len(row.body) for _, _, row in cluster.carrier.carried) < 100
    assert b.state(merged) == "ready"
    assert a.tables()["promises"] == 0, "there is nothing that could be kept"
