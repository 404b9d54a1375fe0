"""A master of several shards as a real program: each shard is asked by itself, over one port, and none loses what it acknowledged."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.ids import IdSource
from tq.common.domain.model import Role
from tq.common.domain.shards import shard_of_name
from tq.common.errors import WrongShard
from tq.common.wire.address import parse_address
from tq.common.wire.connection import CallerConnection
from tq.common.wire.master_line import MasterLine
from tq.common.wire.reach import reach

from .conftest import MasterFactory
from .programs import Master, run_program

SHARDS = 4
TASK, PAYLOAD = "m:f", b"\x92\x90\x80"


def a_queue_in(shard: int) -> str:
    return next(name for n in range(1_000) if shard_of_name(name := f"queue-{n}", SHARDS) == shard)


async def connected(master: Master, shard: int, address: str = "") -> CallerConnection:
    return await reach(
        MasterLine((parse_address(address or master.address),)),
        Credential.parse(master.authkey),
        role=Role.ADMIN,
        node=os.urandom(16),
        shard=shard,
    )


def call(master: Master, shard: int, target: list[Any], method: str, *args: Any) -> Any:
    """One call, over a connection to a shard."""

    async def once() -> Any:
        connection = await connected(master, shard)
        try:
            return await connection.call(target, method, *args)
        finally:
            connection.close()

    return asyncio.run(once())


def tasks_in(master: Master, shard: int) -> int:
    return int(call(master, shard, ["get_master"], "info")["tasks"])


def test_what_each_shard_acknowledged_is_there_after_a_kill_and_nowhere_else(
    master_factory: MasterFactory,
) -> None:
    master = master_factory("--shards", SHARDS)
    for shard in range(SHARDS):
        submit = ["get_task_queue", a_queue_in(shard)], "submit", TASK, {}
        ids = IdSource(shard=shard)
        assert (
            call(master, shard, *submit, [[ids.take_one(), PAYLOAD] for _ in range(shard + 1)]) == shard + 1
        )
        with pytest.raises(WrongShard, match=f"and shard {(shard + 1) % SHARDS} was asked"):
            call(master, (shard + 1) % SHARDS, *submit, [[ids.take_one(), PAYLOAD]])
    master.kill()
    master.start()
    assert [tasks_in(master, shard) for shard in range(SHARDS)] == [1, 2, 3, 4]
    master.terminate()
    checked = run_program(
        "tq-master", "check", "--data", master.data, "--bind", master.address, home=master.data.parent
    )
    assert f"{SHARDS} shards, each of them whole" in checked.stdout
