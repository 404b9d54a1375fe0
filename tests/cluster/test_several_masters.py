"""Clients and workers that know several masters: one stands by, the other serves, and then it is the other way round."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tq
from tq.common.auth.certificate import ensure_certificate
from tq.common.wire.address import Address, parse_address
from tq.common.wire.tls import server_context
from tq.master.standby.door import StandbyDoor
from xprocess import XProcess

from .conftest import MasterFactory, WorkerFactory
from .page_client import Browser, PageProgram
from .programs import eventually, free_port, run_program


@contextmanager
def standing_by(data: Path, port: int, owner: Address | None) -> Iterator[str]:
    """The door of a master that shows the certificate of this directory; its address."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    def serve() -> None:
        async def listen() -> StandbyDoor:
            context = server_context(data / "master.crt", data / "master.key")
            door = StandbyDoor(context, lambda: owner, lambda *args, **fields: None)
            await door.listen("127.0.0.1", port)
            return door

        asyncio.set_event_loop(loop)
        door = loop.run_until_complete(listen())
        ready.set()
        loop.run_forever()
        door.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(10)
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_work_goes_on_when_another_master_takes_over(
    master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    """Take-over by hand: the store is served by a master at the other address, and the first one's port says so."""
    master, notes = master_factory(), tmp_path / "notes"
    first, second = parse_address(master.address), Address("127.0.0.1", free_port())
    with standing_by(master.data, second.port, first):
        # Each knows one that is down and one that stands by; the one that stands by names the one that serves.
        addresses = f"127.0.0.1:1,{second}"
        worker = worker_factory(address=addresses, authkey=master.authkey)
        app = tq.App(f"tq://{addresses}", master.authkey)
        tasks = [app.submit("cluster_tasks:noted", str(notes), number, 0.02) for number in range(100)]
        assert tasks[5].result(timeout=20) == 5
        master.kill()
    master.port = second.port
    with app, standing_by(master.data, first.port, second):
        master.start()
        assert [task.result(timeout=30) for task in tasks] == list(range(100))
        assert sorted(map(int, notes.read_text().split())) == list(range(100))
        assert worker.running
        assert app.submit("cluster_tasks:add", 2, 3).result(timeout=20) == 5


def test_a_command_and_a_check_find_the_one_that_serves(master_factory: MasterFactory, home: Path) -> None:
    master = master_factory()
    with standing_by(master.data, free_port(), parse_address(master.address)) as other:
        environment = {"TQ_URL": f"tq://{other},{master.address}", "TQ_AUTHKEY": master.authkey}
        listed = run_program("tq", "queues", "--json", home=home, environment=environment)
        assert (listed.returncode, listed.stderr) == (0, "")
        environment["TQ_AUTHKEY"] = master.key("worker")
        checked = run_program(
            "tq-worker",
            "check",
            "--connect",
            f"{other},{master.address}",
            "--allow",
            "math.*",
            home=home,
            environment=environment,
        )
        assert f"{other}: this master stands by; the one that serves is {master.address}" in checked.stdout
        assert f"{master.address}: tq-master" in checked.stdout
        assert checked.returncode == 0, checked


def test_the_doctor_warns_of_a_master_that_does_not_answer(master_factory: MasterFactory, home: Path) -> None:
    master = master_factory()
    environment = {"TQ_URL": f"tq://127.0.0.1:1,{master.address}", "TQ_AUTHKEY": master.authkey}
    seen = run_program("tq", "doctor", home=home, environment=environment).stdout
    assert "warning  address     no program listens on 127.0.0.1:1" in seen
    assert f"ok       address     {master.address}; it accepts connections" in seen


def join(first: Path, second: Path, home: Path) -> None:
    """By the commands, as a person pipes them from host to host."""
    asked = run_program("tq-master", "request", "--data", second, home=home)
    admitted = run_program("tq-master", "admit", "--data", first, home=home, input=asked.stdout)
    joined = run_program("tq-master", "join", "--data", second, home=home, input=admitted.stdout)
    assert (asked.returncode, admitted.returncode, joined.returncode) == (0, 0, 0), (asked, admitted, joined)
    assert f"tq-master: {second / 'master.crt'} is the certificate of " in joined.stderr


def test_a_key_of_the_cluster_recognises_a_master_that_has_joined_and_no_other(
    master_factory: MasterFactory, home: Path, tmp_path: Path
) -> None:
    """Its certificate is another one than the key pins, and signed by that one."""
    master = master_factory(own_certificate=False)
    second, stranger = tmp_path / "second", tmp_path / "stranger"
    join(master.data, second, home)
    with (
        standing_by(second, free_port(), parse_address(master.address)) as address,
        tq.App(f"tq://{address}", master.authkey) as app,
    ):
        assert app.call(("get_master",), "info")["you"]["role"] == "admin"
        environment = {"TQ_URL": f"tq://{address},{master.address}", "TQ_AUTHKEY": master.authkey}
        seen = run_program("tq", "doctor", home=home, environment=environment).stdout
        assert "of the cluster, for " in seen
        assert seen.count("the certificate is the one that the key was made for") == 2
    stranger.mkdir(mode=0o700)
    ensure_certificate(stranger)
    with (
        standing_by(stranger, free_port(), parse_address(master.address)) as address,
        tq.App(f"tq://{address}", master.authkey) as app,
        pytest.raises(tq.Rejected, match="is not the one this key was made for"),
    ):
        app.call(("get_master",), "info")


def test_a_master_that_has_joined_serves_with_its_own_certificate(
    master_factory: MasterFactory, home: Path, tmp_path: Path
) -> None:
    """The directory is moved to a host of its own certificate: keys and store stay, and no key has to be made again."""
    master = master_factory(own_certificate=False)
    second = tmp_path / "second"
    join(master.data, second, home)
    master.terminate()
    for name in ("master.crt", "master.key"):
        shutil.copy(second / name, master.data / name)
    master.start()
    assert "certificate.changed" not in master.log
    with tq.App(master.url, master.authkey, role="admin") as app:
        token = app.call(("get_keys",), "add", "viewer", [], "of the second")
    with tq.App(master.url, token, role="viewer") as app:
        assert app.call(("get_workers",), "list") == []


@pytest.mark.thorough
def test_an_open_page_follows_a_take_over_and_says_which_master_serves(
    master_factory: MasterFactory, xprocess: XProcess, home: Path
) -> None:
    master = master_factory()
    first, second = parse_address(master.address), Address("127.0.0.1", free_port())
    program = PageProgram(xprocess, home, master, "--connect", f"tq://{first},{second}")
    try:
        with standing_by(master.data, second.port, first):
            program.start()
            person = Browser(program.url)
            assert person.log_in(master.key("admin")).status == 303
            assert f"{first}, {second}" in person.get("/cluster").text
            master.kill()
        master.port = second.port
        with standing_by(master.data, first.port, second):
            master.start()
            eventually(lambda: "serves" in person.get("/cluster").text)
            assert f"<dt>Address</dt><dd>{second}<" in person.get("/cluster").text
    finally:
        program.end()
