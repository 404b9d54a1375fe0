"""Keys that are not enough: refused, revoked, or of a role that may do less. What is said then, and that nothing else happens."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import tq
from tq.common.auth.keys import Credential, mint_token
from xprocess import XProcess

from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import TASKS_FILE, Master, eventually, run_program

REFUSED = 4  # exit status


@pytest.fixture(scope="module")
def fortress(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A master with keys of its own, for all tests that do it no harm."""
    master = Master(xprocess, tmp_path_factory.mktemp("fortress"))
    try:
        master.start()
        yield master
    finally:
        master.end()


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tq_command(fortress: Master, home: Path) -> Command:
    """``tq_command(key, *arguments)``: the command's end, which must have been quick."""

    def run(key: str, *arguments: object, program: str = "tq") -> subprocess.CompletedProcess[str]:
        done = run_program(
            program, *arguments, home=home, environment={"TQ_URL": fortress.url, "TQ_AUTHKEY": key}
        )
        assert "Traceback" not in done.stderr
        assert not key or key not in done.stdout + done.stderr + fortress.log
        return done

    return run


def other_secret(token: str) -> str:
    """The same key, but for what only its owner knows."""
    credential = Credential.parse(token)
    assert credential.pin is not None
    return mint_token(credential.key_id, b"w" * 32, credential.pin)


def other_pin(token: str) -> str:
    credential = Credential.parse(token)
    return mint_token(credential.key_id, credential.secret, b"p" * 32)


UNKNOWN = (
    "the key was refused: unknown, revoked or not the one this master accepts; `tq keys list` shows them"
)
SEE = "tq: see: tq help rejected\n"  # the section of the page of errors


def test_a_wrong_key_is_refused_and_says_what_may_be_wrong(tq_command: Command, fortress: Master) -> None:
    done = tq_command(other_secret(fortress.key("client")), "queues")
    assert (done.returncode, done.stdout, done.stderr) == (REFUSED, "", f"tq: {UNKNOWN}\n{SEE}")


def test_a_plain_key_is_refused_where_there_is_none(tq_command: Command) -> None:
    done = tq_command("correct horse battery staple", "queues")
    assert (done.returncode, done.stdout, done.stderr) == (REFUSED, "", f"tq: {UNKNOWN}\n{SEE}")


def test_a_key_of_another_master_is_not_even_shown_to_this_one(tq_command: Command, fortress: Master) -> None:
    refused = fortress.log.count("connection.refused")
    done = tq_command(other_pin(fortress.key("client")), "queues")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert f"the master at {fortress.address} is not the one this key was made for" in done.stderr
    assert "make a new key there with `tq keys add`, or beware of an impostor" in done.stderr
    assert fortress.log.count("connection.refused") == refused


def test_a_mistyped_key_never_leaves_the_machine(tq_command: Command, fortress: Master) -> None:
    done = tq_command(fortress.key("client")[:-1], "queues")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mistyped or cut off; copy all of the line that starts with tq1." in done.stderr


def test_a_workers_key_does_not_submit(tq_command: Command, fortress: Master) -> None:
    done = tq_command(fortress.key("worker"), "submit", "cluster_tasks:add", 1, 2)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert done.stderr == (
        "tq: this key is a worker key and cannot be used as client; --authkey-file client.key: the master made that file in its "
        "data directory; `tq keys add --role client` makes others\n" + SEE
    )


@pytest.fixture
def viewer_key(tq_command: Command, fortress: Master) -> str:
    done = tq_command(fortress.key("admin"), "keys", "add", "--role", "viewer")
    [token] = [word for word in done.stdout.split() if word.startswith("tq1.")]
    return token


def test_a_viewers_key_reads_and_does_not_pause(
    tq_command: Command, fortress: Master, viewer_key: str
) -> None:
    assert tq_command(viewer_key, "queues").returncode == 0
    done = tq_command(viewer_key, "pause", "default")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert done.stderr == (
        "tq: this key is a viewer key and cannot be used as admin; --authkey-file admin.key: the master made "
        "that file in its data directory\n" + SEE
    )


def test_a_viewers_call_of_an_admin_method_is_refused_with_the_role(
    fortress: Master, viewer_key: str, app_factory: AppFactory
) -> None:
    app = app_factory(fortress.url, viewer_key, role="viewer")
    for target, method, needed in (
        (["get_task_queue", "default"], "pause", "admin"),
        (["get_keys"], "list", "admin"),
        (["get_tasks"], "cancel", "client"),
        (["get_dispatcher"], "leave", "worker"),
    ):
        with pytest.raises(
            tq.Forbidden, match=rf"{method} needs the role {needed}, this key has viewer; ask for a"
        ):
            app.call(target, method)
    assert isinstance(app.call(["get_master"], "info"), dict)


@pytest.mark.parametrize("command", [("keys", "list"), ("keys", "add", "--role", "admin"), ("drain", "00")])
def test_a_clients_key_does_not_govern(
    master_factory: MasterFactory, home: Path, command: tuple[str, ...]
) -> None:
    master = master_factory(authkey=None)
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("client")}
    done = run_program("tq", *command, home=home, environment=environment)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert "this key is a client key and cannot be used as admin" in done.stderr


def test_a_revoked_key_is_shown_the_door_and_not_let_in_again(
    master_factory: MasterFactory, app_factory: AppFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    admin = app_factory(master.url, master.key("admin"), role="admin")
    token = admin.call(["get_keys"], "add", "client", [], "")
    app = app_factory(master.url, token)
    app.call(["get_master"], "info")
    admin.call(["get_keys"], "revoke", Credential.parse(token).key_id)
    with pytest.raises(tq.Rejected, match="the key was refused: unknown, revoked"):
        eventually(lambda: app.call(["get_master"], "info") is None)
    assert isinstance(admin.call(["get_master"], "info"), dict)


def test_a_key_given_as_an_option_is_not_in_the_list_of_processes(
    master_factory: MasterFactory, app_factory: AppFactory
) -> None:
    key = "correct horse battery staple"
    master = master_factory("--authkey", key, authkey=None, by_exec=True)
    shown = " ".join(psutil.Process(master.pid).cmdline())
    assert "tq-master" in shown
    assert key not in shown
    assert key not in master.log
    assert isinstance(app_factory(master.url, key).call(["get_master"], "info"), dict)


# workers


def test_a_worker_with_a_refused_key_ends_at_once_and_says_why(
    master_factory: MasterFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    began = time.monotonic()
    for key, reason in (
        (other_secret(master.key("worker")), UNKNOWN),
        (
            other_pin(master.key("worker")),
            f"the master at {master.address} is not the one this key was made for",
        ),
        (
            master.key("client"),
            "this key is a client key and cannot be used as worker; --authkey-file worker.key: the master made that file",
        ),
    ):
        done = run_program(
            "tq-worker",
            *("--connect", master.address, "--slots", 1, TASKS_FILE),
            home=home,
            environment={"TQ_AUTHKEY": key},
        )
        assert done.returncode == REFUSED
        assert f"tq-worker: {reason}" in done.stderr
        assert "Traceback" not in done.stderr
        assert key not in done.stdout + done.stderr
    assert time.monotonic() - began < 20  # three starts on a busy machine


def test_a_worker_whose_key_is_revoked_ends_and_takes_its_children_along(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    master = master_factory(authkey=None)
    worker = worker_factory(address=master.address, authkey=master.key("worker"))
    children = worker.children()
    admin = app_factory(master.url, master.key("admin"), role="admin")
    admin.call(["get_keys"], "revoke", Credential.parse(master.key("worker")).key_id)
    assert worker.wait() == REFUSED
    assert f"tq-worker: {UNKNOWN}" in worker.log
    assert children
    eventually(lambda: not any(child.is_running() for child in children))
