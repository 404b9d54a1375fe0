"""The page beside ``tq dev``: started when the extra is installed, with a link that logs in. The cluster does not depend on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Final

from ....common.wire.address import WEB_PORT
from .home import StateDirectory
from .ports import free_port
from .process import Process

NEEDED: Final = ("starlette", "uvicorn", "jinja2")
END_SECONDS: Final = 3.0
LINK: Final = "logs you in: "

Say = Callable[[str], None]


def is_installed() -> bool:
    return all(find_spec(name) is not None for name in NEEDED)


class DevPage:
    """``say`` is called with the link, or with the reason why the page does not start."""

    def __init__(self, home: StateDirectory, say: Say) -> None:
        self._home, self._say = home, say
        self._process: Process | None = None
        self._last = ""  # what it wrote last of what went wrong
        self._is_there = False  # it has said its link
        self._is_ending = False
        self._watcher: asyncio.Task[None] | None = None

    async def start(self, url: str, environment: Mapping[str, str]) -> None:
        if not is_installed():
            return
        await self._start(free_port(WEB_PORT), url, environment)

    async def _start(self, port: int, url: str, environment: Mapping[str, str]) -> None:
        words = ["web", "--open", "--bind", f"127.0.0.1:{port}", "--url", url]
        words += ["--authkey-file", str(self._home.state / "admin.key")]
        try:
            self._process = await Process.start("tq.client.cli", words, environment, self._hear)
        except OSError as error:
            self._say(f"the page did not start: {error.strerror or error}")
            return
        self._watcher = asyncio.create_task(self._watch(self._process, port, url, environment))

    async def _watch(self, process: Process, port: int, url: str, environment: Mapping[str, str]) -> None:
        await asyncio.wait({process.ended})
        if self._is_ending:
            return
        if port and not self._is_there and not free_port(port):
            # Another program took the port while the page started.
            await self._start(0, url, environment)
            return
        self._say(f"the page has ended, and nothing else has: {self._last or 'it did not say why'}")

    def _hear(self, stream: str, line: str) -> None:
        _, found, link = line.partition(LINK)
        if found:
            self._is_there = True
            self._say(f"the page, with a link that logs in once, within a minute: {link}")
        elif stream == "err" and not line.startswith("see: "):
            self._last = line.removeprefix("tq: ")

    async def end(self, hurry: asyncio.Event) -> None:
        self._is_ending = True
        if self._process is not None:
            await self._process.end(hurry=hurry, grace_seconds=END_SECONDS)
