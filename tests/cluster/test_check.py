"""``tq-master check`` and ``tq-worker check``: everything at once, and nothing is left behind."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tq.master.store.sqlite.store import SqliteStore

from .programs import AUTHKEY, TASKS_FILE, Master, run_program

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(home: Path) -> Check:
    def run(
        program: str, *arguments: object, status: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        done = run_program(program, "check", *arguments, home=home, environment=variables)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def level_of(done: subprocess.CompletedProcess[str], text: str) -> str:
    """The level of the finding that holds this text."""
    [line] = [line for line in done.stdout.splitlines() if text in line]
    return line.split()[0]


# the master


def test_a_first_start_is_reported_and_nothing_is_made(check: Check, home: Path) -> None:
    done = check("tq-master", "--bind", "127.0.0.1:0", "--data", home / "data")
    for text in (
        "data will be made",
        "tq.db will be made",
        "worker.key will be made",
        "master.crt will be made",
    ):
        assert level_of(done, text) == "ok"
    assert list(home.iterdir()) == []


def test_everything_wrong_with_a_master_is_reported_at_once(check: Check, home: Path) -> None:
    data = home / "data"
    data.mkdir()
    (data / "tq.db").write_bytes(b"this is no store, whatever it is" * 10)
    (data / "master.crt").write_text("")
    (home / "key").write_text("short")
    (home / "key").chmod(0o644)
    (home / "master.toml").write_text("[expose]\nget_counter = 'nowhere:make'\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = check(
            "tq-master", "--bind", "192.0.2.1:5000", "--http", f"127.0.0.1:{port}", "--data", data,
            "--authkey-file", home / "key", "--config", home / "master.toml", status=2,
        )  # fmt: skip
    for text in (
        "this machine does not have the address 192.0.2.1",
        f"cannot listen on 127.0.0.1:{port}",
        "is not a store",
        "the authkey has 5 characters",
        "master.key is not; restore it",
        "get_counter: ",
    ):
        assert level_of(done, text) == "error"
    assert level_of(done, "key can be read by others") == "warning"


def test_a_running_master_is_recognised_by_its_lock_and_not_disturbed(check: Check, master: Master) -> None:
    done = check("tq-master", "--data", master.data, status=2)
    assert level_of(done, f"another tq-master (process {master.pid})") == "error"
    assert master.terminate() == 0
    before = {file.name: file.stat().st_mtime_ns for file in master.data.iterdir()}
    done = check("tq-master", "--data", master.data, "--bind", master.address)
    assert level_of(done, "certificate and key fit") == "ok"
    assert {file.name: file.stat().st_mtime_ns for file in master.data.iterdir()} == before


def test_a_store_of_a_newer_tq_is_recognised_without_opening_it(check: Check, home: Path) -> None:
    SqliteStore(home / "tq.db").close()
    with sqlite3.connect(home / "tq.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    done = check("tq-master", "--data", home, "--bind", "127.0.0.1:0", status=2)
    assert level_of(done, "has schema version 99") == "error"


GATEWAY_KEY = "a key for stock clients"


def test_the_check_of_a_good_gateway_reports_it(check: Check, home: Path) -> None:
    (home / "gateway.key").write_text(GATEWAY_KEY)
    (home / "gateway.key").chmod(0o600)
    own = ("--bind", "127.0.0.1:0", "--gateway-authkey-file", "gateway.key")
    done = check("tq-master", *own, "--gateway", "127.0.0.1:0")
    [line] = [line for line in done.stdout.splitlines() if " gateway " in line]
    assert line.split() == [
        "ok",
        "gateway",
        "127.0.0.1:0",
        "is",
        "free;",
        "it",
        "can",
        "be",
        "reached",
        "only",
        "from",
        "this",
        "host",
    ]
    done = check("tq-master", *own, "--gateway", "0.0.0.0:0", "--gateway-public")
    assert level_of(done, "can read and alter what clients send") == "warning"


def test_everything_wrong_with_a_gateway_is_reported(check: Check, home: Path) -> None:
    (home / "gateway.key").write_text(GATEWAY_KEY)
    (home / "gateway.key").chmod(0o644)
    own = ("--bind", "127.0.0.1:0", "--gateway-authkey-file", "gateway.key")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = check("tq-master", *own, "--gateway", address, status=2)
        assert level_of(done, f"{address} is in use") == "error"
        assert "choose another port with --gateway" in done.stdout
        assert level_of(done, "gateway.key can be read by others: chmod 600") == "warning"
    twice = ("--bind", address, "--gateway-authkey-file", "gateway.key", "--gateway", address)
    assert level_of(check("tq-master", *twice, status=2), "is this master's own already") == "error"
    for options, words in (
        (("--gateway", "0.0.0.0:0"), "say --gateway-public"),
        (("--gateway-public",), "need --gateway HOST:PORT"),
    ):
        assert level_of(check("tq-master", *own, *options, status=2), words) == "error"
    done = check(
        "tq-master", "--bind", "127.0.0.1:0", "--gateway", address, "--gateway-authkey-file", "no", status=2
    )
    assert level_of(done, "there is no key file no") == "error"


def test_a_wrong_setting_ends_the_check_with_all_wrong_settings(check: Check) -> None:
    done = check(
        "tq-master", "--lease-seconds", "1", "--durability", "sometimes", TQ_BIND="nowhere:x", status=2
    )
    assert "--durability: must be one of fsync, os, memory" in done.stderr
    assert "TQ_BIND: " in done.stderr


# the worker


def test_the_check_of_a_good_worker_shows_what_it_serves(check: Check, master: Master, home: Path) -> None:
    done = check("tq-worker", "--connect", master.address, TASKS_FILE, TQ_AUTHKEY=master.authkey)
    assert level_of(done, "accepts the key") == "ok"
    assert "cluster_tasks:echo  (queue default)" in done.stdout


def test_everything_wrong_with_a_worker_is_reported_at_once(check: Check, master: Master, home: Path) -> None:
    (home / "broken.py").write_text("import a_missing_module\n")
    done = check(
        "tq-worker", "--connect", master.address, "--http", "192.0.2.1:5003", "broken.py",
        status=2, TQ_AUTHKEY="another key than the master's",
    )  # fmt: skip
    assert level_of(done, f"{master.address}: ") == "error"
    assert level_of(done, "cannot listen on 192.0.2.1:5003") == "error"
    assert level_of(done, "your code could not be imported") == "error"
    assert "No module named 'a_missing_module'" in done.stdout


def test_a_master_that_is_away_is_an_error_and_one_of_several_a_warning(
    check: Check, home: Path, master: Master
) -> None:
    done = check("tq-worker", "--connect", "127.0.0.1:1", TASKS_FILE, status=2, TQ_AUTHKEY=AUTHKEY)
    assert level_of(done, "no master answers; start it, or correct --connect") == "error"
    several = "--connect", "127.0.0.1:1", "--connect", master.address
    done = check("tq-worker", *several, TASKS_FILE, TQ_AUTHKEY=master.authkey)
    assert level_of(done, "127.0.0.1:1: ") == "warning"


def test_no_slots_and_a_pattern_that_matches_nothing_are_refused(check: Check, master: Master) -> None:
    done = check(
        "tq-worker", "--connect", master.address, "--slots", 0, "--allow", "math:*", "--label", "1=2", TASKS_FILE,
        status=2, TQ_AUTHKEY=master.authkey,
    )  # fmt: skip
    assert "--slots: must be a whole number from 1 to 65,536, not 0" in done.stderr
    assert "--allow: 'math:*' matches nothing; write 'math.*'" in done.stderr
    assert "--label: a label has a name of" in done.stderr


def test_a_module_called_check_is_named_as_a_file(check: Check, home: Path) -> None:
    (home / "check.py").write_text("import tq\napp = tq.App()\n@app.task\ndef look() -> None: ...\n")
    done = check("tq-worker", "--connect", "127.0.0.1:1", "./check.py", status=2, TQ_AUTHKEY=AUTHKEY)
    assert "check:look  (queue default)" in done.stdout
