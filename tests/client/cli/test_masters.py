"""How the masters of a cluster are listed."""

from __future__ import annotations

from typing import Any, cast

from tq.client.app import App
from tq.client.cli.masters import _note, of_cluster, state
from tq.client.core.merges import masters
from tq.common.contract.observe import MasterRow

ROW = MasterRow("b:5000", "b", False, None, None, 1.0, 0.4, "1", None)


class Cluster:
    def call(self, target: Any, method: str) -> list[list[Any]]:
        assert method == "masters"
        gone = ROW._replace(address="a:5000", silent=60.0)
        serves = ROW._replace(address="c:5000", serves=True, epoch=3, left=3.5)
        return [row.to_wire() for row in (gone, ROW, serves)]


def test_the_one_that_serves_comes_first_and_those_that_are_silent_last() -> None:
    rows = of_cluster(cast(App, Cluster()))
    assert [(row.address, state(row)) for row in rows] == [
        ("c:5000", "serves"),
        ("b:5000", "stands by"),
        ("a:5000", "silent"),
    ]


def test_a_process_that_hosts_several_shards_is_one_row_whichever_of_them_answers() -> None:
    hosting = ROW._replace(serves=True, shards=[0, 2]).to_wire()
    other = ROW._replace(address="b:5001", shards=[1, 3]).to_wire()
    assert masters([[hosting], [other], [hosting], [other]], []) == [hosting, other]


def test_in_a_cluster_of_one_shard_a_row_is_what_it_was_before_there_were_shards() -> None:
    assert len(ROW.to_wire()) == 9
    assert len(ROW._replace(shards=[1]).to_wire()) == 10


def test_one_that_is_revoked_says_so_whatever_else_it_does() -> None:
    assert state(ROW._replace(serves=True, revoked=1.0)) == "revoked"
    assert len(ROW._replace(revoked=1.0).to_wire()) == 11
    gone = ROW._replace(address="", host="b", revoked=1.0).to_wire()
    other = ROW._replace(address="", host="c", revoked=2.0).to_wire()
    assert masters([[gone, other], [gone, other]], []) == [gone, other]


def test_a_name_that_no_master_shows_is_revoked_with_a_note() -> None:
    leaf = ROW._replace(until=2.0)
    assert _note("b", [ROW, leaf]) == ""
    assert "b shows the cluster's own certificate" in _note("b", [ROW])
    assert "openssl x509 -noout -subject" in _note("c", [leaf])
