"""Masters without a port that share the shards of a real database, several of them in one process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import Address
from tq.master import shard_resources, sharing
from tq.master.addresses import me_of
from tq.master.app import MasterResources, Opening, open_master, open_resources
from tq.master.joining import admit, join, request
from tq.master.net.hosted import HostedShards
from tq.master.sharing import ShardSharing
from tq.master.store.postgres.masters import Me

SHARDS = 4
SECONDS_MAX = 45.0  # of a busy machine
Row = tuple[Any, ...]


class Master:
    """One that has no port, and tells what it says to its log. ``port``: by which the others know it."""

    def __init__(self, data: Path, url: str, port: int) -> None:
        self.settings, self.address = MasterSettings(data=data, store=url), Address("m.example", port)
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.retired = ""
        self.resources: MasterResources
        self.hosted: HostedShards
        self.sharing: ShardSharing
        self._changed = asyncio.Event()

    def report(self, action: str, **fields: Any) -> None:
        self.said.append((action, fields))

    def served(self, shard: int, server: Any, data: Path) -> None:
        self._changed.set()

    def left(self, shard: int) -> None:
        self._changed.set()

    @property
    def shards(self) -> list[int]:
        return sorted(self.hosted.servers)

    async def until(self, condition: Callable[[], bool]) -> None:
        """What it waits for is said by ``served`` and ``left``, or seen by its next look."""
        async with asyncio.timeout(SECONDS_MAX):
            while not condition():
                self._changed.clear()
                with_looks = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait([with_looks], timeout=0.05)
                with_looks.cancel()

    @asynccontextmanager
    async def running(self) -> Any:
        self.resources = await asyncio.to_thread(open_master, Opening(self.settings, None, self.report))
        assert self.resources.shared is not None
        self.hosted = self.resources.host(self.report)
        self.sharing = ShardSharing(
            self.resources.shared,
            self.resources.shards,
            self.hosted,
            self.address,
            self.report,
            serve=lambda shard: self.resources.server_of(shard, self.hosted.port),
            observer=self,
            have_rows=None,
            retire=lambda reason: setattr(self, "retired", reason),
        )
        try:
            await self.sharing.begin(asyncio.Event())
            yield self
        finally:
            await self.end()

    async def end(self) -> None:
        if self.sharing.shards.is_ending:
            return
        await self.sharing.end()
        await self.hosted.drain()
        self.sharing.close()
        self.hosted.close()
        assert await asyncio.to_thread(self.resources.close) is None


class Cluster:
    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self.url, self._ports = folder, url, itertools.count(5000)
        self._ids: dict[Path, str] = {}
        open_resources(Opening(self.settings("a", shards=SHARDS), None, lambda *_, **__: None)).close()

    def give_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In one process all masters would have one name."""

        def named(settings: MasterSettings, port: int | None = None) -> Me:
            home = next(one for one in [settings.data, *settings.data.parents] if one.parent == self._folder)
            return me_of(settings, port)._replace(
                id=self._ids.setdefault(home, f"{home.name}:1-x"), address=f"{home.name}.example:5000"
            )

        monkeypatch.setattr(sharing, "me_of", named)
        monkeypatch.setattr(shard_resources, "me_of", named)

    def settings(self, name: str, shards: int | None = None) -> MasterSettings:
        return MasterSettings(data=self._folder / name, store=self.url, shards=shards)

    def master(self, name: str) -> Master:
        settings = self.settings(name)
        if not settings.data.exists():
            join(settings, admit(self.settings("a"), request(settings).encode())[0].encode())
        return Master(settings.data, self.url, next(self._ports))

    def ask(self, sql: str) -> list[Row]:
        import psycopg

        with psycopg.connect(self.url, autocommit=True, options="-c search_path=tq") as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)
