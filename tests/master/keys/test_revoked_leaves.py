"""Revoked certificates of masters in the engine: who may, what is kept, who learns of it, and which master ends."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from tq.common.auth.leaf import VALID_DAYS, Leaf
from tq.common.auth.revoked import FORGOTTEN_SECONDS, REVOKED_MAX, Revocation, digest_of
from tq.common.domain.model import Role
from tq.common.errors import ConfigError, Forbidden, InvalidArgument, StoreError
from tq.master.keys.revoked_leaves import (
    A_MASTER_WAS_REVOKED,
    REVOKED,
    RevokedLeaves,
    check_not_revoked,
    read_revoked,
)


def shown(bench: Any) -> list[Revocation]:
    return list(bench.engine.part(RevokedLeaves).shown)


def leaf(name: str, made: float) -> Leaf:
    at = datetime.datetime.fromtimestamp(made, datetime.UTC)
    return Leaf(name, "1f", at, at + datetime.timedelta(days=VALID_DAYS))


def revoke(bench: Any, name: str) -> None:
    bench.client(role=Role.ADMIN).call("get_master", "revoke", name)


def test_a_revocation_is_in_the_store_in_what_is_shown_and_in_the_audit_log(bench: Any) -> None:
    seconds = bench.now.wall // 1000
    revoke(bench, "b.example")
    assert shown(bench) == [Revocation(digest_of("b.example"), seconds)]
    bench.engine.store.begin()
    stored = bench.engine.store.get_meta(REVOKED)
    bench.engine.store.rollback()
    with pytest.raises(ConfigError, match=r"was revoked on .*, of a new private key: tq-master request"):
        check_not_revoked(leaf("b.example", seconds - 5), stored)
    check_not_revoked(leaf("b.example", seconds + 1), stored)
    check_not_revoked(leaf("c.example", seconds - 5), stored)
    check_not_revoked(None, stored)
    rows = bench.client(role=Role.ADMIN).call("get_audit", "list")
    assert ["revoked master", "b.example"] in [row[7:9] for row in rows]


def test_it_is_what_another_master_finds_when_it_loads_the_store(bench: Any) -> None:
    revoke(bench, "b.example")
    before = shown(bench)
    bench.engine.start(bench.now)
    assert shown(bench) == before


def test_all_who_come_again_are_sent_away_but_who_asked(bench: Any) -> None:
    admin, client, worker = bench.client(role=Role.ADMIN), bench.client(), bench.worker("f")
    gateway = bench.client()
    gateway.session.reconnects = False
    admin.call("get_master", "revoke", "b.example")
    assert [peer.disconnected for peer in (admin, client, worker, gateway)] == [
        "",
        A_MASTER_WAS_REVOKED,
        A_MASTER_WAS_REVOKED,
        "",
    ]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT, Role.WORKER])
def test_only_an_admin_may(bench: Any, role: Role) -> None:
    with pytest.raises(Forbidden):
        bench.client(role=role).call("get_master", "revoke", "b.example")
    assert shown(bench) == []


def test_a_key_of_some_queues_may_not(bench: Any) -> None:
    with pytest.raises(Forbidden, match="masters are the whole cluster's"):
        bench.client(("gpu*",), Role.ADMIN).call("get_master", "revoke", "b.example")
    assert shown(bench) == []


@pytest.mark.parametrize("name", ["", " b", "b\n", "b" * 65])
def test_what_no_certificate_has_as_its_name_is_refused(bench: Any, name: str) -> None:
    with pytest.raises(InvalidArgument):
        revoke(bench, name)
    assert shown(bench) == []


def test_their_number_is_bounded_and_what_has_ended_makes_room(bench: Any) -> None:
    for number in range(REVOKED_MAX):
        revoke(bench, f"host-{number}")
    with pytest.raises(InvalidArgument, match="certificates of 100 masters are revoked"):
        revoke(bench, "one-more")
    assert len(shown(bench)) == REVOKED_MAX
    bench.set_clock(10)
    revoke(bench, "host-0")
    assert max(one.moment for one in shown(bench)) == bench.now.wall // 1000, "again, of a known name"
    bench.set_clock(FORGOTTEN_SECONDS)
    revoke(bench, "one-more")
    assert {one.digest for one in shown(bench)} == {digest_of("host-0"), digest_of("one-more")}


def test_a_master_whose_own_certificate_is_revoked_ends_once_that_is_committed(bench: Any) -> None:
    leaves, reasons = bench.engine.part(RevokedLeaves), list[str]()
    leaves.own, leaves.retire = leaf("b.example", bench.now.wall / 1000 - 60), reasons.append
    revoke(bench, "c.example")
    assert not reasons
    admin = bench.client(role=Role.ADMIN)
    admin.ask("get_master", "revoke", "b.example")

    def fails() -> None:
        raise StoreError("the disk is full")

    bench.step(commit=fails)
    assert not reasons, "nothing of it is stored"
    assert [one.digest for one in shown(bench)] == [digest_of("c.example")]
    revoke(bench, "b.example")
    assert len(reasons) == 1
    assert "the certificate of this master, b.example" in reasons[0]
    bench.step()
    assert len(reasons) == 1


def test_a_list_in_the_store_that_is_damaged_is_said() -> None:
    with pytest.raises(StoreError, match="restore the store from a copy"):
        read_revoked(b"\x05")
