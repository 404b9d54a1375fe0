"""One turn of a master: what it serves it gives back, however it ends."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.runtime.logs import EventLog
from tq.common.runtime.sd_notify import Notifier
from tq.common.wire.address import Address
from tq.master.app import MasterResources, Opening, open_resources
from tq.master.keys.revoked_leaves import RevokedLeaves
from tq.master.serving import DISPLACED, MasterTurn, serve
from tq.master.standby.displacement import Displacement


class Log(EventLog):
    """Keeps its events."""

    def __init__(self) -> None:
        super().__init__("text", threshold="error")
        self.events: list[str] = []

    def event(self, action: str, **fields: Any) -> None:
        self.events.append(action)


@pytest.fixture
def log() -> Iterator[Log]:
    yield Log()
    gc.unfreeze()  # what a master that has started has frozen


def opened(folder: Path, log: Log, port: int = 0) -> MasterResources:
    settings = MasterSettings(data=folder / "data", bind=Address("127.0.0.1", port))
    return open_resources(Opening(settings, None, log.event))


def serve_a_turn(resources: MasterResources, log: Log, displacement: Displacement) -> int:
    """Its status; it leaves nothing open."""

    async def turn() -> int:
        return await serve(resources, log, Notifier({}), None, displacement, with_authkey=False)

    try:
        return asyncio.run(turn())
    finally:
        assert resources.close() is None


def test_where_another_has_taken_over_it_writes_nothing_more_and_says_so(tmp_path: Path, log: Log) -> None:
    displacement = Displacement()
    displacement.happened("another master has taken over")
    assert serve_a_turn(opened(tmp_path, log), log, displacement) == DISPLACED
    assert [name for name in log.events if name.startswith("master.")] == [
        "master.started",
        "master.displaced",
    ]


def test_one_whose_port_is_taken_says_what_to_do_and_closes_what_it_has(tmp_path: Path, log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        resources = opened(tmp_path, log, other.getsockname()[1])
        with pytest.raises(ConfigError, match="--bind"):
            serve_a_turn(resources, log, Displacement())
    assert not [name for name in log.events if name.startswith("master.")]


def test_a_host_whose_certificate_is_revoked_drains_and_is_refused_another_start(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest: list[int] = []
    # It would end this process, in which other tests follow.
    monkeypatch.setattr(MasterTurn, "_end_at_latest", lambda turn: latest.append(len(turn._hosted.servers)))
    resources = opened(tmp_path, log)

    async def turn() -> int:
        asyncio.get_running_loop().call_later(
            0.01, lambda: resources.engine.part(RevokedLeaves).retire("its certificate was revoked")
        )
        return await serve(resources, log, Notifier({}), None, Displacement(), with_authkey=False)

    with pytest.raises(ConfigError, match="its certificate was revoked"):
        asyncio.run(turn())
    assert resources.close() is None
    assert latest == [1], "bounded once, before the drain"
    assert [name for name in log.events if name.startswith("master.")] == [
        "master.started",
        "master.revoked",
        "master.draining",
        "master.stopped",
    ]
