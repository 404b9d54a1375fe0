"""The masters of a cluster as they are listed, with what is revoked."""

from __future__ import annotations

from typing import Any

from tq.common.contract.observe import MasterRow
from tq.common.domain.model import Role
from tq.master.keys.revoked_leaves import RevokedLeaves
from tq.master.observe.masters import VALID_SECONDS, moment_of, with_revoked

ROW = MasterRow("b:5000", "b", False, None, None, 1.0, 0.4, "1", VALID_SECONDS + 1_000.0)


def test_a_certificate_made_by_a_clock_that_is_ahead_is_revoked_as_well() -> None:
    assert moment_of([ROW], "b", 900.5) == 1_000
    assert moment_of([ROW], "c", 900.5) == 900
    assert moment_of([ROW._replace(until=None)], "b", 1_200) == 1_200


def test_a_revoked_master_is_listed_while_it_is_here_and_when_it_is_gone(bench: Any) -> None:
    leaves = bench.engine.part(RevokedLeaves)
    bench.engine.masters = lambda: [ROW, ROW._replace(address="a:5000", host="a", until=None)]
    bench.client(role=Role.ADMIN).call("get_master", "revoke", "b")
    rows = [MasterRow(*row) for row in bench.client().call("get_master", "masters")]
    moment = float(bench.now.wall // 1000)
    assert [(row.address, row.host, row.revoked) for row in rows] == [
        ("b:5000", "b", moment),
        ("a:5000", "a", None),
    ]
    joined_again = ROW._replace(until=VALID_SECONDS + moment + 1)
    back, gone = with_revoked([joined_again], leaves.listing(), moment + 5)
    assert (back.revoked, gone.address, gone.host, gone.revoked, gone.silent) == (None, "", "b", moment, 5.0)
