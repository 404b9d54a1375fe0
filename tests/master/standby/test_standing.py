"""What a master that stands by makes of what it sees of the shard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.wire.address import Address
from tq.master.standby.standing import Standing, check_certificate
from tq.master.store.postgres.masters import ShardSeen

OWNED = ShardSeen("b:1:aa", 3, 4.0, "b.example:5000")


class Log:
    def __init__(self) -> None:
        self.actions: list[str] = []

    def __call__(self, action: str, **_: Any) -> None:
        self.actions.append(action)


def after(*looks: ShardSeen | str | None) -> tuple[Standing, list[str]]:
    """A look, or the error of a database that does not answer."""

    async def run() -> tuple[Standing, list[str]]:
        log = Log()
        standing = Standing(log)
        for one in looks:
            if isinstance(one, str):
                standing.away(one)
            else:
                standing.looked(one)
        return standing, log.actions

    return asyncio.run(run())


def test_it_waits_while_the_owner_has_time_left_and_knows_its_address() -> None:
    standing, log = after(OWNED, OWNED._replace(left_seconds=0.1))
    assert not standing.is_free
    assert standing.owner == Address("b.example", 5000)
    assert log == ["standby.sees_owner"]
    assert standing.unready() == ["it stands by; the master that serves is b.example:5000"]
    assert standing.sick() == []


@pytest.mark.parametrize("left", [None, 0.0, -3.0])
def test_it_ends_when_the_owner_has_released_the_shard_or_not_renewed_it(left: float | None) -> None:
    standing, _ = after(OWNED, OWNED._replace(left_seconds=left))
    assert standing.is_free
    assert standing.owner is None


def test_a_database_that_does_not_answer_frees_nothing() -> None:
    standing, log = after(OWNED, "gone", "gone")
    assert not standing.is_free
    assert "the database does not answer: gone" in standing.unready()
    assert log == ["standby.sees_owner", "standby.database_away"]
    _, log = after("gone", OWNED)
    assert log == ["standby.database_away", "standby.database_back", "standby.sees_owner"]


def test_an_address_that_cannot_be_read_is_none() -> None:
    assert after(OWNED._replace(address="a b c"))[0].owner is None
    assert after(OWNED._replace(address=None))[0].owner is None


def test_the_wait_ends_with_what_ended_it() -> None:
    async def run() -> tuple[bool, bool]:
        free, ended = Standing(Log()), Standing(Log())
        free.looked(None)
        ended.end()
        return await free.wait(), await ended.wait()

    assert asyncio.run(run()) == (True, False)


def test_a_master_of_another_cluster_is_refused_before_it_stands_by() -> None:
    check_certificate(None, None, "the database", "line")
    check_certificate(b"pin", b"pin", "the database", "line")
    with pytest.raises(
        ConfigError, match="this host has no certificate of its cluster; on this host, once: line"
    ):
        check_certificate(b"pin", None, "the database", "line")
    with pytest.raises(ConfigError, match="is of another cluster than the database"):
        check_certificate(b"pin", b"other", "the database", "line")


def test_a_wait_ends_with_the_reason_why_this_master_must_not_take_over() -> None:
    async def wait() -> None:
        standing = Standing(Log())
        standing.fail(ConfigError("it is revoked"))
        standing.looked(None)
        await standing.wait()

    with pytest.raises(ConfigError, match="it is revoked"):
        asyncio.run(wait())
