"""A caller's connection, as far as it needs no master."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.model import Role
from tq.common.errors import Unreachable
from tq.common.runtime.event_loop import run_loop
from tq.common.wire.address import Address
from tq.common.wire.connection import SILENT_HEARTBEATS_MAX, CallerConnection
from tq.common.wire.handshake import Welcome
from tq.common.wire.tls import NO_CA


@pytest.mark.parametrize("runs", [asyncio.run, run_loop])
def test_the_master_is_given_up_after_three_silent_heartbeats_on_every_loop(
    runs: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        key = Credential.parse("a key for a test")
        connection = CallerConnection(Address("127.0.0.1", 1), key, Role.CLIENT, b"n" * 16, NO_CA, 0)
        monkeypatch.setattr(connection._wire, "queue", lambda frame: None)
        connection._admitted.set_result(None)
        connection.welcome = Welcome(
            session=b"", cluster_id=b"", heartbeat_seconds=0.01, frame_bytes_max=1024, server_version=""
        )
        connection._wire.received_at = began = loop.time()
        connection._beat_in(0.0)
        reason = await connection.wait_closed()
        with pytest.raises(Unreachable):
            connection.call(("get_master",), "info")
        return reason, loop.time() - began

    reason, seconds = runs(wait())  # type: ignore[misc]
    assert reason.startswith("nothing that could be read came from the master for")
    assert seconds >= 0.01 * SILENT_HEARTBEATS_MAX
