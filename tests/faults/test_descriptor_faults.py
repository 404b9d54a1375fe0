"""A master that may open no more files: new connections are closed, sessions are served, and honest clients get in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
import tq
from tq.common.auth.keys import Credential
from tq.common.domain.model import NODE_ID_BYTES, Role
from tq.common.wire.address import parse_address
from tq.common.wire.connection import CallerConnection
from tq.master.net.admission import UNAUTHENTICATED_PER_ADDRESS_MAX

from ..cluster.programs import eventually
from .conftest import ALL, TrialFactory
from .trial import SECONDS

pytestmark = pytest.mark.alone

DESCRIPTORS = 64
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 8)]  # all of 127/8 is loopback on Linux
SESSIONS = 10_000
AT_ONCE = UNAUTHENTICATED_PER_ADDRESS_MAX - 4  # of one address, so that a place is left for a good client
BYTES_OF_A_SESSION_MAX = 200_000
IDLE = {"TQ_HEARTBEAT_SECONDS": "5", "TQ_LEASE_SECONDS": "20"}
IN_TIME_SECONDS = 3.0  # for a good client, once there is room


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address only")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_master_without_descriptors_serves_those_inside_and_lets_others_in_when_it_can(
    new_trial: TrialFactory, scale: float, loop: str
) -> None:
    if loop == "asyncio" and scale < ALL:
        pytest.skip(f"a long one: it runs with --faults-scale {ALL:g}")
    with new_trial("no descriptors left", FAULT_DESCRIPTORS=str(DESCRIPTORS), TQ_LOOP=loop) as trial:
        trial.worker()
        inside = trial.witness()
        inside.hear(inside.submit("cluster_tasks:add", [(1, 1)]), SECONDS)
        with contextlib.ExitStack() as connections:
            for address in ADDRESSES * UNAUTHENTICATED_PER_ADDRESS_MAX:
                with contextlib.suppress(ConnectionError):  # hung up on: that is what there is to be seen
                    connections.enter_context(
                        socket.create_connection(
                            ("127.0.0.1", trial.master.port), source_address=(address, 0)
                        )
                    )
            eventually(lambda: "server.full" in trial.master.log, SECONDS)
            given = inside.hear(inside.submit("cluster_tasks:add", [(n, 1) for n in range(50)]), SECONDS)
            assert sorted(given.values()) == list(range(1, 51))
        since = time.monotonic()
        with tq.App(trial.master.url, trial.master.authkey, connect_timeout=IN_TIME_SECONDS) as app:
            assert isinstance(app.call(["get_master"], "info"), dict)
        trial.recovery = time.monotonic() - since
        # asyncio accepts all that wait before it lets anybody look, and complains of what did not fit
        assert loop == "asyncio" or "Traceback" not in trial.master.log
        trial.judge(times=1)


@contextlib.contextmanager
def many_descriptors(wanted: int) -> Iterator[None]:
    """For this process and those it starts. Skips where they may not have so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"processes may open {hard:,} files here, not {wanted:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def open_sessions(url: str, token: str, how_many: int) -> list[CallerConnection]:
    address, credential = parse_address(url), Credential.parse(token)
    places = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> CallerConnection:
        async with places:
            node = os.urandom(NODE_ID_BYTES)
            return await CallerConnection.open(
                address, credential, role=Role.CLIENT, node=node, timeout=SECONDS
            )

    return await asyncio.gather(*(open_one() for _ in range(how_many)))


@pytest.mark.timeout(300)
def test_thousands_of_idle_sessions_hold_up_no_others(whole_run: None, new_trial: TrialFactory) -> None:
    with many_descriptors(SESSIONS + 500), new_trial("idle sessions", **IDLE) as trial:
        trial.worker()
        token = trial.witness(role="admin").app.call(["get_keys"], "add", "client", [], "")
        process = psutil.Process(trial.master.pid)
        before = process.memory_info().rss

        async def crowd() -> None:
            sessions = await open_sessions(trial.master.url, token, SESSIONS)
            assert await asyncio.to_thread(be_served) < IN_TIME_SECONDS
            assert process.memory_info().rss - before < SESSIONS * BYTES_OF_A_SESSION_MAX
            for session in sessions:
                session.close()

        def be_served() -> float:
            since = time.monotonic()
            witness = trial.witness()
            witness.hear(witness.submit("cluster_tasks:add", [(1, 1)]), SECONDS)
            trial.recovery = time.monotonic() - since
            return trial.recovery

        asyncio.run(crowd())
        trial.judge(times=SESSIONS)
