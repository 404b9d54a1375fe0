"""A master of several shards as a real program: each shard is asked by itself, over one port, and none loses what it acknowledged."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.ids import IdSource
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.shards import shard_of_name
from tq.common.errors import ProtocolError, Unreachable, WrongShard
from tq.common.wire.address import parse_address
from tq.common.wire.connection import CallerConnection
from tq.common.wire.master_line import MasterLine
from tq.common.wire.reach import reach

from .conftest import MasterFactory
from .programs import Master, eventually, free_port, let_pass, run_program

SHARDS = 4
# For a few submits to each shard, with a restart among them, on a machine that has little time
SECONDS = 80.0
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


def two_free_ports() -> int:
    """The first of two that follow one another."""
    first, second = free_port(), free_port()
    while second != first + 1:
        first, second = second, free_port()
    return first


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


class Submitter(threading.Thread):
    """Submits one task after another into a shard, each again with its id until it is acknowledged."""

    def __init__(self, master: Master, shard: int) -> None:
        super().__init__()
        self.accepted, self.stop = list[bytes](), threading.Event()
        self._master, self._shard = master, shard

    def run(self) -> None:
        asyncio.run(self._submit())

    async def _submit(self) -> None:
        ids = IdSource(shard=self._shard)
        target, connection = ["get_task_queue", a_queue_in(self._shard)], None
        while not self.stop.is_set():
            id = ids.take_one()
            while self.accepted[-1:] != [id] and not self.stop.is_set():
                try:
                    connection = connection or await connected(self._master, self._shard)
                    await connection.call(target, "submit", TASK, {}, [[id, PAYLOAD]])
                    self.accepted.append(id)
                except (Unreachable, ProtocolError):
                    connection = None
                    await asyncio.to_thread(let_pass, 0.05)  # as a client waits before it tries again
        if connection is not None:
            connection.close()


@pytest.mark.timeout(300)
def test_a_process_that_is_killed_under_load_loses_nothing_and_the_others_shards_go_on(
    master_factory: MasterFactory,
) -> None:
    port = two_free_ports()
    master = master_factory("--shards", SHARDS, "--processes", 2, "--bind", f"127.0.0.1:{port}")
    master.port = port  # instead of the one that it draws, whose neighbour another test may have
    eventually(lambda: "processes.started" in master.log, SECONDS)

    def process_of(shard: int) -> int:
        return int(call(master, shard, ["get_master"], "info")["pid"])

    first, second = process_of(0), process_of(1)
    assert [process_of(2), process_of(3)] == [first, second]
    assert first != second

    submitters = [Submitter(master, shard) for shard in range(SHARDS)]
    for one in submitters:
        one.start()

    def each_goes_on(some: Sequence[Submitter]) -> None:
        goal = [len(one.accepted) + 5 for one in some]
        eventually(
            lambda: all(len(one.accepted) >= least for one, least in zip(some, goal, strict=True)),
            SECONDS,
        )

    try:
        each_goes_on(submitters)
        os.kill(second, signal.SIGKILL)
        each_goes_on(submitters[::2])
        each_goes_on(submitters)
    finally:
        for one in submitters:
            one.stop.set()
        for one in submitters:
            one.join()
    assert process_of(1) not in (first, second)
    assert process_of(0) == first
    for shard, ids in enumerate(one.accepted for one in submitters):
        states = call(master, shard, ["get_tasks"], "states", ids)
        assert [id for id, state in states if state != StateNumber.READY] == []
        assert tasks_in(master, shard) == len(ids)
    assert master.terminate() == 0
