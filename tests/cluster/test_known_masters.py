"""A plain key, and a master that is another one than yesterday. ``127.1`` is this machine by a name that does not say so."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from pathlib import Path

import pytest
import tq
from tq.common.auth.certificate import ensure_certificate
from tq.common.auth.keys import Credential
from tq.common.auth.known_masters import OFF, VARIABLE
from tq.common.domain.model import Role
from tq.common.errors import Rejected
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection
from tq.common.wire.tls import server_context

from .conftest import MasterFactory
from .programs import AUTHKEY, TASKS_FILE, run_program

REFUSED = 4  # exit status


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "known_masters"))
    return tmp_path / "known_masters"


def meet(port: int) -> str:
    with tq.App(f"tq://127.1:{port}", AUTHKEY) as app:
        return str(app.call(["get_master"], "info")["cluster_id"])


def test_a_master_that_was_set_up_again_is_refused_until_its_line_is_deleted(
    master_factory: MasterFactory, file: Path, home: Path
) -> None:
    master = master_factory(authkey=AUTHKEY)
    cluster = meet(master.port)
    assert meet(master.port) == cluster
    assert file.read_text().startswith(f"127.1:{master.port} {cluster} ")
    master.kill()
    for name in ("master.crt", "master.key"):
        (master.data / name).unlink()
    master.options.append("--new-certificate")
    master.start()
    with pytest.raises(tq.Rejected, match=r"shows another certificate .* delete line 1 of"):
        meet(master.port)
    worker = run_program(
        "tq-worker",
        *("--connect", f"127.1:{master.port}", "--slots", 1, TASKS_FILE),
        home=home,
        environment={"TQ_AUTHKEY": AUTHKEY, VARIABLE: str(file)},
    )
    assert worker.returncode == REFUSED
    assert "shows another certificate than at the first connection" in worker.stderr
    file.write_text("")
    assert meet(master.port) == cluster


def test_it_can_be_turned_off(
    master_factory: MasterFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, OFF)
    meet(master_factory(authkey=AUTHKEY).port)
    assert not file.exists()


def listen(listener: socket.socket, context: ssl.SSLContext, received: list[bytes]) -> None:
    """A server with its own certificate that records the bytes of one connection."""
    connection, _ = listener.accept()
    with connection, context.wrap_socket(connection, server_side=True) as channel:
        received.append(channel.recv(65_536))


def test_an_interceptor_learns_nothing(file: Path, tmp_path: Path) -> None:
    """No HELLO, and so no proof at which the key could be guessed with a salt of his choice."""
    received: list[bytes] = []
    folder = tmp_path / "impostor"
    folder.mkdir(mode=0o700)
    context = server_context(*ensure_certificate(folder))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        file.write_text(f"127.1:{port} {'00' * 16} {'00' * 32} 2026-01-01\n")
        file.chmod(0o600)
        thread = threading.Thread(target=listen, args=(listener, context, received))
        thread.start()
        opening = CallerConnection.open(
            Address("127.1", port), Credential.parse(AUTHKEY), role=Role.CLIENT, node=os.urandom(16)
        )
        with pytest.raises(Rejected, match="shows another certificate"):
            asyncio.run(opening)
        thread.join()
    assert received == [b""]
