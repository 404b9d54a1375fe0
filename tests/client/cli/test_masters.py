"""How the masters of a cluster are listed."""

from __future__ import annotations

from typing import Any, cast

from tq.client.app import App
from tq.client.cli.masters import of_cluster, state
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
