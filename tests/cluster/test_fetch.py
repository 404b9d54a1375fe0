"""Fetching URLs as people do it: ``tq map`` into lines of JSON, by a worker that allows it, from a server that takes its time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import tq
from aiohttp import web
from xprocess import XProcess

from .conftest import Cluster
from .programs import Worker, eventually
from .test_map import Shell

URLS = 5_000
AT_ONCE = 200
LATENCY_SECONDS = 0.05
SUMMARY = Path(tq.__file__).with_name("examples") / "fetch" / "summary.py"
SECONDS = 50.0


class SlowServer:
    """Answers each path after 50 ms, on a loop of its own: 404 for some, a redirect for some, 503 the first time for some."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.at_once = self.most = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(SECONDS)

    async def _start(self) -> int:
        self._runner = web.ServerRunner(web.Server(self._page, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1_024).start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _page(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        self.asked[path] += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        answered = self._loop.create_future()
        self._loop.call_later(LATENCY_SECONDS, answered.set_result, None)
        await answered
        self.at_once -= 1
        if path.startswith("/gone"):
            return web.Response(status=404)
        if path.startswith("/moved"):
            return web.Response(status=302, headers={"Location": path.replace("moved", "page")})
        if path.startswith("/busy") and self.asked[path] == 1:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response(text=f"this is {path}")

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def server() -> Iterator[SlowServer]:
    server = SlowServer()
    yield server
    server.stop()


@pytest.fixture
def fetching(cluster: Cluster, xprocess: XProcess, home: Path) -> Iterator[None]:
    """A worker that fetches, beside the one that does not."""
    options = ("--queue", "fetch", "--allow-http", "--http-private", "--pool", f"async:{AT_ONCE}")
    worker = Worker(xprocess, home, cluster.master.address, cluster.master.authkey, *options)
    worker.environment["TQ_HTTP_PER_HOST"] = str(AT_ONCE)
    try:
        worker.start()
        yield
    finally:
        worker.end()


@pytest.fixture
def shell(cluster: Cluster, home: Path) -> Iterator[Shell]:
    shell = Shell(cluster, home)
    yield shell
    shell.end()


def test_thousands_of_urls_become_a_line_each_and_the_server_is_asked_once_for_each(
    fetching: None, server: SlowServer, shell: Shell
) -> None:
    kinds = ["gone", "moved", "busy", *["page"] * 97]
    paths = [f"/{kinds[number % 100]}/{number}" for number in range(URLS)]
    urls = "".join(f"http://127.0.0.1:{server.port}{path}\n" for path in paths)
    words = ("tq.tasks.http:fetch", "--queue", "fetch", "--retries", 5, "--unordered")
    done = shell.map(*words, input=urls.encode())
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert Counter(line["requested"] for line in lines) == Counter(urls.split())
    for line in lines:
        path = line["requested"].partition(str(server.port))[2]
        if path.startswith("/gone"):
            assert (line["status"], line["body"]) == (404, "")
        else:
            found = path.replace("moved", "page")
            assert (line["status"], line["body"]) == (200, f"this is {found}")
            assert line["url"].endswith(found)
    again = [path for path in paths if path.startswith("/busy")]
    moved = [path.replace("moved", "page") for path in paths if path.startswith("/moved")]
    assert server.asked == Counter(paths) + Counter(again) + Counter(moved)
    assert AT_ONCE / 2 < server.most <= AT_ONCE
    file = shell.home / "pages.jsonl"
    file.write_bytes(done.stdout)
    shown = subprocess.run(
        [sys.executable, SUMMARY, file], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert shown.stdout.splitlines()[:3] == ["200: 4,950", "404: 50", f"127.0.0.1:{server.port}: 5,000"]


def test_without_such_a_worker_it_waits_and_says_which_one_to_start(cluster: Cluster, shell: Shell) -> None:
    handle = cluster.app.named("tq.tasks.http:fetch").using(queue=shell.queue).submit("http://127.0.0.1:1/")
    eventually(lambda: "`tq-worker --connect … --allow-http`" in handle.why())
    handle.cancel()
