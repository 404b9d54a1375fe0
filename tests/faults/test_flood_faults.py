"""Thousands who connect and never prove anything: a good client connects within a second all the same."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.model import NODE_ID_BYTES, Role
from tq.common.wire.address import parse_address
from tq.common.wire.connection import CallerConnection

from ..cluster.programs import text_process
from .conftest import TrialFactory
from .test_descriptor_faults import many_descriptors

pytestmark = pytest.mark.alone

FLOOD = Path(__file__).with_name("connection_flood.py")
CONNECTIONS = 5_000
GOOD_SECONDS_MAX = 1.0


async def connect_well(url: str, token: str) -> float:
    """Seconds until a good client is in, trying again when it is turned away."""
    since = time.monotonic()
    while True:
        try:
            connection = await CallerConnection.open(
                parse_address(url), Credential.parse(token), role=Role.CLIENT, node=os.urandom(NODE_ID_BYTES)
            )
        except Exception:
            if time.monotonic() - since > 10 * GOOD_SECONDS_MAX:
                raise
            continue
        seconds = time.monotonic() - since
        connection.close()
        return seconds


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address only")
@pytest.mark.timeout(120)
def test_a_good_client_gets_in_among_thousands_of_slow_handshakes(
    new_trial: TrialFactory, times: Callable[[int], int]
) -> None:
    connections = times(CONNECTIONS)
    with many_descriptors(connections + 500), new_trial("slow handshakes") as trial:
        token = trial.witness(role="admin").app.call(["get_keys"], "add", "client", [], "")

        with text_process(
            [sys.executable, FLOOD, str(trial.master.port), str(connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as flood:
            assert flood.stdin is not None
            assert flood.stdout is not None
            assert flood.stdout.readline() == "there\n"
            seconds = [asyncio.run(connect_well(trial.master.url, token)) for _ in range(10)]
            flood.kill()
        trial.recovery = max(seconds)
        assert sorted(seconds)[len(seconds) // 2] < GOOD_SECONDS_MAX, seconds
        assert "Traceback" not in trial.master.log
        trial.judge(times=connections)
