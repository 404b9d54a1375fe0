"""What the pages run against: one master and one worker for all that do not start their own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from xprocess import XProcess

from ..cluster.programs import Master, Worker, clean_environment
from .execution import SERVER, Session, session
from .pages import Block, commands_of

GIVEN = Path(__file__).with_name("given")
PORTS = ("5000", "5001", "5002", "5003", "8080", "9090")  # what pages name, each gets one of its own


@pytest.fixture(scope="session")
def mail_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An SMTP server: the one of the demo."""
    with free_ports() as ports:
        port = ports["8080"]
    mailbox = tmp_path_factory.mktemp("mail") / "mailbox"
    program = [sys.executable, "-m", "tq.client.commands.demo.smtp_server", str(port), str(mailbox)]
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
        served = (GIVEN / "jobs.py", "tq.tasks.mail")
        worker = Worker(xprocess, home, master.address, master.key("worker"), "--slots", 2, *served)
        worker.environment["TQ_SMTP_URL"] = f"smtp://127.0.0.1:{mail_port}"
        try:
            worker.start()
            yield {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("admin")}
        finally:
            worker.end()
    finally:
        master.end()


@contextlib.contextmanager
def free_ports() -> Iterator[Mapping[str, int]]:
    """A free port for each that pages name; found together, so that they differ."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        ports = dict(zip(PORTS, (one.getsockname()[1] for one in taken), strict=True))
    yield ports


SessionFactory = Callable[[list[Block]], Session]


@pytest.fixture
def page_session(tmp_path: Path, variables: Mapping[str, str]) -> Iterator[SessionFactory]:
    """A shell for a page. One that starts a master of its own is told of no other, as a newcomer is."""
    home = tmp_path / "home"
    shutil.copytree(GIVEN, home)
    with contextlib.ExitStack() as stack:

        def open_session(blocks: list[Block]) -> Session:
            ports = dict(stack.enter_context(free_ports()))
            known = {} if starts_a_master(blocks) else variables
            if known:
                ports["5000"] = int(known["TQ_URL"].rpartition(":")[2])
            return stack.enter_context(session(home, clean_environment(home, known), ports))

        yield open_session


def starts_a_master(blocks: list[Block]) -> bool:
    commands = [c.text for b in blocks if b.runs and b.language == "console" for c in commands_of(b)]
    return any((server := SERVER.match(text)) and server[1] in ("tq-master", "tq dev") for text in commands)
