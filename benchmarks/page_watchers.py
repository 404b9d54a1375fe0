"""So many browsers, each with a page open, in a process of its own: ``python -m benchmarks.page_watchers URL COOKIE:PATH …``

Each does what the script of the page does: it keeps the stream open, and asks for the part that changes when the stream says that there is
something new, at most every 0.9 seconds, and of views that the stream says nothing of every so many seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from typing import Final
from urllib.parse import urlsplit

LOOK_SECONDS: Final = 0.9


class OpenPage:
    def __init__(self, url: str, cookie: str, path: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._path, self._headers = path, f"Host: {parts.netloc}\r\nCookie: tq={cookie}\r\n"
        self._seen, self._version, self._every = "", "", 0.0
        self._is_new = asyncio.Event()

    async def open(self) -> None:
        head, body = await self._get("")
        if not head.startswith("HTTP/1.1 200"):
            raise SystemExit(f"{self._path}: {head.partition(chr(13))[0]}")
        found = re.search(r'id="live" data-version="(\w*)" data-every="([\d.]*)"', body)
        if found is None:
            raise SystemExit(f"{self._path} does not answer with a page")
        self._seen, self._every = found[1], float(found[2] or 0)

    async def watch(self) -> None:
        await asyncio.gather(self._listen(), self._look())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_new.wait(), self._every or None)
            self._is_new.clear()
            head, _ = await self._get(f"HX-Request: true\r\nHX-Target: live\r\nX-Seen: {self._seen}\r\n")
            if found := re.search(r"(?i)^x-version: (\w+)\r?$", head, re.MULTILINE):
                self._seen = found[1]
            await asyncio.sleep(max(0.0, asked + LOOK_SECONDS - loop.time()))
            asked = loop.time()

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(f"GET /events HTTP/1.1\r\n{self._headers}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                version = str(json.loads(line.removeprefix(b"data: "))["version"])
                if version != self._version:
                    self._version = version
                    self._is_new.set()
        raise SystemExit("the stream has ended")

    async def _get(self, headers: str) -> tuple[str, str]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(
                f"GET {self._path} HTTP/1.1\r\n{self._headers}Connection: close\r\n{headers}\r\n".encode()
            )
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        finally:
            writer.close()
        return head, body


async def main(url: str, places: list[str]) -> None:
    pages = [OpenPage(url, *place.split(":", 1)) for place in places]
    await asyncio.gather(*(page.open() for page in pages))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await asyncio.gather(*(page.watch() for page in pages))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
