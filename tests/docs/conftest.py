"""What the pages run against: one master and one worker for all that do not start their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from xprocess import XProcess

from ..cluster.programs import Master, Worker, clean_environment, free_port
from ..side_by_side import process_number
from .execution import SERVER, session
from .pages import Block, commands_of, read_page

GIVEN = Path(__file__).with_name("given")
PORTS = ("5000", "5001", "5002", "5003", "8080", "9090", "dev")  # what pages name, each gets one of its own
PAGES_AT_ONCE = 4


@pytest.fixture(scope="session")
def mail_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An SMTP server: the one of the demo."""
    port = free_ports()["8080"]
    mailbox = tmp_path_factory.mktemp("mail") / "mailbox"
    program = [sys.executable, "-m", "tq.client.cli.demo.smtp_server", str(port), str(mailbox)]
    with subprocess.Popen(program) as server:
        yield port
        server.terminate()


@pytest.fixture(scope="session")
def variables(
    xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory, mail_port: int
) -> Iterator[Mapping[str, str]]:
    """TQ_URL and TQ_AUTHKEY of a cluster that serves ``given/jobs.py`` and mail; the key may everything."""
    home = tmp_path_factory.mktemp("documented")
    master = Master(xprocess, home, authkey=None)
    try:
        master.start()
        served = ("--allow-shell", GIVEN / "jobs.py", "tq.tasks.mail")
        worker = Worker(xprocess, home, master.address, master.key("worker"), "--slots", 2, *served)
        worker.environment["TQ_SMTP_URL"] = f"smtp://127.0.0.1:{mail_port}"
        try:
            worker.start()
            yield {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("admin")}
        finally:
            worker.end()
    finally:
        master.end()


def free_ports() -> dict[str, int]:
    """A port of its own for each that pages name."""
    return {name: free_port() for name in PORTS}


@pytest.fixture(scope="session")
def verdict(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, variables: Mapping[str, str]
) -> Iterator[Callable[[str], None]]:
    """``verdict(page)`` raises what is not so. Pages mostly wait for their programs: all that are asked for run side by side.

    In a parallel run each process has all tests in its list and runs some of them: there a page is run when its test is.
    """
    asked = [item for item in request.session.items if "verdict" in getattr(item, "fixturenames", ())]
    pages = [item.callspec.params["page"] for item in asked if isinstance(item, pytest.Function)]
    with ThreadPoolExecutor(PAGES_AT_ONCE) as pool:

        def start(page: str) -> Future[None]:
            return pool.submit(run_page, page, tmp_path_factory.mktemp("page") / "home", variables)

        started = {page: start(page) for page in pages} if process_number() is None else {}
        yield lambda page: (started.get(page) or start(page)).result()
        pool.shutdown(cancel_futures=True)


def run_page(page: str, home: Path, variables: Mapping[str, str]) -> None:
    """Everything the page says, in order. One that starts a master of its own gets no address of another one, like a newcomer."""
    blocks = read_page(page)
    shutil.copytree(GIVEN, home)
    ports = free_ports()
    known = {} if starts_a_master(blocks) else variables
    if known:
        ports["5000"] = int(known["TQ_URL"].rpartition(":")[2])
    with session(home, clean_environment(home, known), ports) as opened:
        for block in blocks:
            if block.runs or block.note == "file":
                opened.run(block)


def starts_a_master(blocks: list[Block]) -> bool:
    commands = [c.text for b in blocks if b.runs and b.language == "console" for c in commands_of(b)]
    return any((server := SERVER.match(text)) and server[1] in ("tq-master", "tq dev") for text in commands)
