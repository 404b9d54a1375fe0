"""Clusters of real programs: ``master``, ``worker_factory``, ``app`` and what else the tests here need.

A test gets its own master on its own port with its own data, and everything it starts is ended after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tq
from xprocess import XProcess

from .browsing import browser as browser
from .browsing import chromium as chromium
from .browsing import page_program as page_program
from .forked_programs import template_of_this_process
from .programs import TASKS_FILE, Master, Program, Worker
from .proxy import Proxy

MasterFactory = Callable[..., Master]
WorkerFactory = Callable[..., Worker]
AppFactory = Callable[..., tq.App]
ProxyFactory = Callable[..., Proxy]


@pytest.fixture(scope="module")
def template() -> Iterator[None]:
    """For tests that start masters and workers in this process: by ``tq.local``, a Pool or a manager of their own."""
    with template_of_this_process():
        yield


class Cluster(NamedTuple):
    master: Master
    app: tq.App


@pytest.fixture(scope="session")
def cluster(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master, a worker with two slots and an app, for all tests that break nothing."""
    home = tmp_path_factory.mktemp("cluster")
    master = Master(xprocess, home)
    try:
        master.start()
        worker = Worker(xprocess, home, master.address, master.authkey, "--slots", 2, TASKS_FILE)
        try:
            worker.start()
            with tq.App(master.url, master.authkey) as app:
                yield Cluster(master, app)
        finally:
            worker.end()
    finally:
        master.end()


@pytest.fixture(scope="session")
def doors(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The same with a worker of four slots that runs whatever has a name: for Executor and Pool."""
    home = tmp_path_factory.mktemp("doors")
    master = Master(xprocess, home)
    try:
        master.start()
        worker = Worker(
            xprocess, home, master.address, master.authkey, "--slots", 4, "--allow", "*", TASKS_FILE
        )
        try:
            worker.start()
            with tq.App(master.url, master.authkey) as app:
                yield Cluster(master, app)
        finally:
            worker.end()
    finally:
        master.end()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the programs are started: their current directory and their user's home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in reversed(started):
        program.end()


@pytest.fixture
def master_factory(xprocess: XProcess, home: Path, programs: list[Program]) -> MasterFactory:
    """``master_factory(*options, authkey=…, own_certificate=…, by_exec=…)``: a started master; without authkey it makes keys of its own."""

    def make(*options: object, **keywords: Any) -> Master:
        master = Master(xprocess, home, *options, **keywords)
        programs.append(master)
        master.start()
        return master

    return make


@pytest.fixture
def master(master_factory: MasterFactory) -> Master:
    return master_factory()


@pytest.fixture
def worker_factory(
    request: pytest.FixtureRequest, xprocess: XProcess, home: Path, programs: list[Program]
) -> WorkerFactory:
    """``worker_factory(slots=2, *, tasks=…, address=…, authkey=…, options=(…), start=True, by_exec=False)``"""

    def make(
        slots: int = 2,
        *,
        tasks: Path = TASKS_FILE,
        address: str | None = None,
        authkey: str | None = None,
        options: tuple[object, ...] = (),
        start: bool = True,
        by_exec: bool = False,
    ) -> Worker:
        if address is None or authkey is None:
            master: Master = request.getfixturevalue("master")
            address, authkey = address or master.address, authkey or master.authkey
        worker = Worker(xprocess, home, address, authkey, "--slots", slots, *options, tasks, by_exec=by_exec)
        programs.append(worker)
        if start:
            worker.start()
        return worker

    return make


@pytest.fixture
def app_factory() -> Iterator[AppFactory]:
    opened: list[tq.App] = []

    def make(url: str, authkey: str, role: str = "client", connect_timeout: float = 10.0) -> tq.App:
        app = tq.App(url, authkey, role=role, connect_timeout=connect_timeout)
        opened.append(app)
        return app

    yield make
    for app in opened:
        app.close()


@pytest.fixture
def app(master: Master, app_factory: AppFactory) -> tq.App:
    return app_factory(master.url, master.authkey)


@pytest.fixture
def admin(master: Master, app_factory: AppFactory) -> tq.App:
    return app_factory(master.url, master.authkey, role="admin")


@pytest.fixture
def proxy_factory() -> Iterator[ProxyFactory]:
    made: list[Proxy] = []

    def make(port: int) -> Proxy:
        made.append(Proxy(port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def proxy(master: Master, proxy_factory: ProxyFactory) -> Proxy:
    """A proxy before the master."""
    return proxy_factory(master.port)
