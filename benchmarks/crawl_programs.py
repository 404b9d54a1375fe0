"""The programs of the crawl: a server that takes its time, and the bare script that tq stands beside.

``python -m benchmarks.crawl_programs serve PORT LATENCY`` · ``… fetch CONCURRENCY < urls > lines``
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Final

import aiohttp
import uvloop
from aiohttp import web

PAGE: Final = "<html><head><title>a page</title></head><body>" + "some words " * 80 + "</body></html>"
BACKLOG: Final = 1_024  # connections that wait to be accepted


async def serve(port: int, latency: float) -> None:
    """Every path has the same page, after so many seconds."""

    async def page(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(latency)
        return web.Response(text=PAGE, content_type="text/html")

    runner = web.ServerRunner(web.Server(page, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
    await asyncio.Event().wait()


async def fetch(concurrency: int) -> None:
    """What a person writes without a queue: so many at once, a line for each, and all is lost when it is killed."""
    urls = (line.rstrip("\n") for line in sys.stdin)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(_fetch_some(session, urls) for _ in range(concurrency)))


async def _fetch_some(session: aiohttp.ClientSession, urls: Iterator[str]) -> None:
    for url in urls:
        async with session.get(url) as answer:
            body = await answer.text()
            line = {
                "url": str(answer.url),
                "requested": url,
                "status": answer.status,
                "headers": {name.lower(): value for name, value in answer.headers.items()},
                "body": body,
            }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def main(what: str, *arguments: str) -> None:
    if what == "serve":
        port, latency = arguments
        uvloop.run(serve(int(port), float(latency)))
    else:
        uvloop.run(fetch(int(arguments[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
