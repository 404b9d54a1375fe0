"""What is needed of another shard: asked for once, mirrored as far as it is needed, released with the last dependent."""

from __future__ import annotations

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role
from tq.common.errors import QuotaExceeded
from tq.common.values.codec import encode
from tq.master.edges import needs
from tq.master.edges.bodies import EdgeKind, unpack_row
from tq.master.engine.accounts import LIMITS, Accounts, Resource

from ..conftest import Peer
from ..dependencies.conftest import ERROR, one
from .conftest import Cluster, ShardGraph


def said(shard: ShardGraph, after: int = 0) -> list[tuple[str, list[tuple[bytes, int]]]]:
    """What a shard has said to the first one of needs."""
    rows = shard.edges.pending(0, after, 99)
    return [
        (EdgeKind(row.kind).name, [tuple(one.run) for one in unpack_row(row)])
        for row in rows
        if row.kind in (EdgeKind.NEED, EdgeKind.RELEASE)
    ]


def test_a_run_is_asked_for_once_and_released_with_the_last_that_needs_it(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(3)
    first, second = b.submit(needs=[pages]), b.submit(needs=[pages])
    b.bench.step()
    assert said(b) == [("NEED", [tuple(pages)])]
    b.client.call("get_tasks", "cancel", [first.first])
    assert said(b) == [("NEED", [tuple(pages)])]
    b.client.call("get_tasks", "cancel", [second.first])
    assert said(b) == [("NEED", [tuple(pages)]), ("RELEASE", [tuple(pages)])]


def test_what_one_transaction_needs_is_asked_for_in_one_row(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = [a.submit() for _ in range(5)]
    for page in pages:
        row = [b.row(IdRun(b.new_id(), 1), needs=[page.first])]
        b.client.ask(("get_task_queue", b.queue), "submit", "jobs:work", {}, row)
    b.bench.step()
    assert said(b) == [("NEED", [tuple(page) for page in pages])]


def test_the_mirror_keeps_what_another_run_still_needs(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(6)
    b.submit(needs=[IdRun(pages.first, 4)])
    middle = IdRun(one(pages, 2).first, 2)
    other = a.submit()
    later = b.submit(needs=[middle, other])
    ids = a.lease()
    a.finish(*[id for id in ids if id != other.first])
    cluster.settle()
    assert b.tables()["mirror"] == 4, "what no one needs is not kept"
    b.run_all()
    cluster.settle()
    assert b.tables() | {"out": 0} == {"out": 0, "needs": 2, "mirror": 2, "promises": 0}
    a.finish(other.first)
    cluster.settle()
    assert b.lease() == [later.first]
    assert [row[0] for row in b.carried(later)] == [middle.first, other.first]


def test_a_large_mirror_is_emptied_in_portions_also_after_a_restart(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "FORGOTTEN_MAX", 30)
    a, b = cluster[0], cluster[1]
    pages = a.submit(100)
    b.submit(needs=[pages])
    a.run_all()
    cluster.settle()
    b.run_all()
    left = b.tables()["mirror"]
    assert 0 < left < 100
    cluster.restart(1)
    again = b.submit(needs=[pages])
    assert b.tables()["mirror"] <= left
    cluster.settle()
    assert b.tables()["mirror"] == 100, "it was asked for again"
    assert b.run_all() == [again.first]
    cluster.settle()
    assert b.tables() | {"out": 0} == {"out": 0, "needs": 0, "mirror": 0, "promises": 0}
    assert a.tables()["promises"] == 0


def test_keys_with_different_rights_know_of_what_they_may_see_and_of_nothing_else(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    narrow = Peer(b.bench, Role.CLIENT, b"n" * 16, queues=(b.queue,), key="narrow")
    pages = a.submit(2)
    seen = b.submit(needs=[pages])
    hidden = b.submit(needs=[pages], client=narrow)
    cluster.settle()
    assert (b.state(seen), b.state(hidden)) == ("blocked", "failed")
    failure = b.failure(hidden)
    assert "was deleted" in failure.message
    assert "jobs" not in failure.message
    assert a.tables()["promises"] == 1, "nothing is kept for who may not see it"
    a.run_all()
    cluster.settle()
    assert b.lease() == [seen.first]
    cluster.restart(1)
    assert b.tables()["mirror"] == 2
    wide = Peer(b.bench, Role.CLIENT, b"w" * 16, queues=(b.queue, a.queue), key="wide")
    third = b.submit(needs=[pages], client=wide)
    cluster.settle()
    assert b.lease() == [third.first]
    assert b.carried(third) == [[pages.first, 10, [encode(None)] * 2]]


def test_an_end_that_no_one_needs_any_more_is_passed_over(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    page = a.submit()
    stored = b.submit(needs=[page.first])
    cluster.settle()
    a.run_all()
    b.client.call("get_tasks", "cancel", [stored.first])
    cluster.settle()
    assert b.tables() | {"out": 0} == {"out": 0, "needs": 0, "mirror": 0, "promises": 0}


def test_another_end_after_a_restore_takes_the_place_of_the_first(cluster: Cluster) -> None:
    a, b = cluster[0], cluster[1]
    pages = a.submit(2)
    merged = b.submit(needs=[pages], on_error="collect")
    leased = a.lease()
    a.finish(leased[0], outcome=ERROR)
    cluster.settle()
    b.bench.engine.later(lambda: b.edges.needs.ended(b"", span(one(pages, 0), 10, b"text")))
    b.bench.step()
    [dependent] = b.bench.engine.store.dependencies.open()
    assert (dependent.left, dependent.missed) == (1, 0)
    b.bench.engine.later(lambda: b.edges.needs.ended(b"", span(one(pages, 0), 10, b"other")))
    b.bench.step()
    [dependent] = b.bench.engine.store.dependencies.open()
    assert (dependent.left, dependent.missed) == (1, 0)
    a.finish(leased[1])
    cluster.settle()
    assert b.lease() == [merged.first]
    assert b.carried(merged)[0][2][0] == b"other"


def test_a_key_may_need_so_many_tasks_of_other_shards_whether_they_are_there_or_not(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = Resource.NEEDED_ELSEWHERE
    monkeypatch.setitem(LIMITS, what, LIMITS[what]._replace(key=100, all=150))
    a, b = cluster[0], cluster[1]
    accounts, other = Accounts(), b.bench.client()
    b.client.session.account, other.session.account = accounts.of("a"), accounts.of("b")
    open_one = b.submit()

    def needing(run: IdRun) -> IdRun:
        """It stays open, with a row of the store for each of the tasks that are not there."""
        return b.submit(needs=[run, open_one], on_error="collect")

    unknown = IdRun(a.new_id(100), 100)
    first = needing(unknown)
    needing(unknown)  # is needed once
    cluster.settle()
    assert b.tables()["mirror"] == 100
    with pytest.raises(QuotaExceeded, match="this key has 100 tasks of other shards"):
        needing(IdRun(a.new_id(), 1))
    with pytest.raises(QuotaExceeded, match="all keys together have 100"):
        b.submit(needs=[IdRun(a.new_id(60), 60)], client=other)
    b.submit(needs=[IdRun(a.new_id(50), 50)], client=other)
    b.client.call("get_tasks", "cancel", [first.first])
    with pytest.raises(QuotaExceeded):  # the second one needs them still
        needing(IdRun(a.new_id(), 1))
    b.client.call("get_tasks", "cancel", [open_one.first])
    cluster.settle()
    b.run_all()
    assert b.client.session.account.held[what] == other.session.account.held[what] == 0
    needing(IdRun(a.new_id(100), 100))


def span(run: IdRun, state: int, body: bytes) -> needs.EndedSpan:
    return needs.EndedSpan(run.first, state, "jobs:work", [body])
