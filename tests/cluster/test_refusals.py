"""Why a master did not start: one sentence with the cause and what to do, exit status 2, no traceback."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import MasterFactory
from .programs import AUTHKEY, Master, run_program

Refuse = Callable[..., str]
LINES_MAX = 4  # of a refusal, the line that names the help among them; a traceback has more


@pytest.fixture
def refuse(home: Path) -> Refuse:
    """``refuse(*arguments, **variables)``: what a master says that does not start."""

    def run(*arguments: object, data: object = "data", bind: str = "127.0.0.1:0", **variables: str) -> str:
        given = ["--data", data, "--bind", bind, *arguments]
        done = run_program("tq-master", *given, home=home, environment=variables)
        assert (done.returncode, done.stdout) == (2, "")
        lines = done.stderr.splitlines()
        assert 1 <= len(lines) <= LINES_MAX, done.stderr
        assert all(line.startswith("tq-master: ") for line in lines), done.stderr
        return done.stderr

    return run


# the port


def test_a_port_in_use_is_named_with_the_option_that_chooses_another(refuse: Refuse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refuse(bind=address)
    assert (
        f"{address} is in use; another tq-master may run there: stop it, or choose another port with --bind"
        in said
    )


def test_an_address_of_another_machine_is_distinguished_from_a_port_in_use(refuse: Refuse) -> None:
    assert "this machine does not have the address 192.0.2.1; use 0.0.0.0 for all of its addresses" in refuse(
        bind="192.0.2.1:0"
    )


def test_an_unknown_host_is_named(refuse: Refuse) -> None:
    said = refuse(bind="no-such-host.invalid:0")
    assert "the host name no-such-host.invalid cannot be resolved; use one of this machine's" in said


@pytest.mark.parametrize("bind", ["127.0.0.1:70000", "127.0.0.1:http", "http://127.0.0.1"])
def test_an_address_that_is_none_is_refused_with_one_that_is(refuse: Refuse, bind: str) -> None:
    said = refuse(bind=bind)
    assert "--bind: " in said
    assert "write host:5000" in said


# the data directory


def test_a_data_directory_below_a_file_cannot_be_made(refuse: Refuse, home: Path) -> None:
    (home / "file").touch()
    said = refuse(data="file/data")
    assert "cannot make the data directory file/data: Not a directory; choose another with --data" in said


def test_a_file_is_no_data_directory(refuse: Refuse, home: Path) -> None:
    (home / "file").touch()
    assert "cannot make the data directory file: File exists; choose another with --data" in refuse(
        data="file"
    )


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs a directory in which no user can make a file"
)
def test_a_directory_in_which_nothing_can_be_made_is_reported(refuse: Refuse) -> None:
    said = refuse(data="/proc/self")
    assert "/proc/self" in said
    assert "for this user" in said
    assert "choose another with --data" in said


def test_a_lock_that_cannot_be_written_is_reported(refuse: Refuse, home: Path) -> None:
    (home / "data" / "master.lock").mkdir(parents=True)
    said = refuse()
    assert "data/master.lock is a directory, not the lock of a master; move it away" in said


def test_a_second_master_on_the_same_data_names_the_first(refuse: Refuse, master: Master) -> None:
    said = refuse(data=master.data)
    assert f"another tq-master (process {master.pid}) uses {master.data}; stop it first" in said
    assert "another --data directory" in said
    assert master.running


def test_a_store_of_a_newer_version_is_left_alone(refuse: Refuse, home: Path) -> None:
    (home / "data").mkdir()
    path = home / "data" / "tq.db"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    said = refuse()
    assert "the store data/tq.db has schema version 99, this tq-master knows " in said
    assert "start the newer tq-master that wrote it, or another --data directory" in said
    assert path.read_bytes()[:18] == before[:18]  # but for the journal's mode
    assert not list((home / "data").glob("*.key"))


def test_a_store_that_is_none_is_not_overwritten(refuse: Refuse, home: Path) -> None:
    (home / "data").mkdir()
    path = home / "data" / "tq.db"
    path.write_text("the shopping list, kept under an unlucky name " * 20)
    before = path.read_bytes()
    said = refuse()
    assert "cannot open the store data/tq.db: file is not a database; restore it from a copy" in said
    assert path.read_bytes() == before


def test_half_a_certificate_is_not_replaced(refuse: Refuse, home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "master.crt").touch()
    said = refuse()
    assert "data/master.crt is there but master.key is not; restore it, or remove both" in said


# the key


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", ":0"])
def test_a_weak_key_is_refused_on_a_public_address(refuse: Refuse, bind: str) -> None:
    said = refuse(bind=bind, TQ_AUTHKEY="fifteen letters")
    assert "the authkey has 15 characters; on an address others can reach it needs at least 16" in said
    assert "Use e.g. `openssl rand -hex 16`, or give none" in said
    assert "fifteen" not in said


def test_a_join_token_is_no_masters_key(refuse: Refuse) -> None:
    said = refuse("--authkey", "tq1.0123456789ab.c2VjcmV0.cGlu.00000000")
    assert "this is a join token, which a master gives out; start tq-master without it" in said
    assert "c2VjcmV0" not in said


def test_a_key_file_that_is_empty_or_missing_is_named(refuse: Refuse, home: Path) -> None:
    (home / "empty").write_text("\n")
    assert "the key file empty is empty; write the key or the join token into it" in refuse(
        "--authkey-file", "empty"
    )
    assert "there is no key file missing\n" in refuse("--authkey-file", "missing")
    assert "no key file a/admin.key; a master that is started again makes" in refuse(
        "--authkey-file", "a/admin.key"
    )


# what it is to expose


MODULE = """
short = lambda: 1

def outer():
    def nested(): return 1
    return nested

nested = outer()
number = 7
"""


@pytest.mark.parametrize(
    ("name", "callable_name", "cause", "remedy"),
    [
        (
            "get_x",
            "mine:short",
            "is a lambda or a nested function",
            "write `def short(…): …` at the top of mine",
        ),
        (
            "get_x",
            "mine:nested",
            "is a lambda or a nested function",
            "write `def nested(…): …` at the top of mine",
        ),
        ("get_x", "mine:lost", "mine has no lost", "check the spelling"),
        ("get_x", "mine:number", "is a int, not a callable", "name a function or a class"),
        ("get_x", "lost:x", "cannot import lost", "is it installed, or its folder on PYTHONPATH?"),
        (
            "get_x",
            "failing:x",
            "importing failing raised RuntimeError: no database",
            "`python -c 'import failing'`",
        ),
        (
            "get_x",
            "broken:x",
            "importing broken raised SyntaxError",
            "`python -c 'import broken'` shows where",
        ),
        ("get_x", "mine", "is not a callable's name", "write 'module:function'"),
        ("get_tasks", "mine:outer", "this name is built in", "choose another"),
    ],
)
def test_what_cannot_be_exposed_is_refused_with_the_line_to_write(
    refuse: Refuse, home: Path, name: str, callable_name: str, cause: str, remedy: str
) -> None:
    (home / "mine.py").write_text(MODULE)
    (home / "failing.py").write_text("raise RuntimeError('no database')\n")
    (home / "broken.py").write_text("def x(:\n")
    (home / "master.toml").write_text(f"[expose]\n{name} = '{callable_name}'\n")
    said = refuse("--config", "master.toml")
    assert f"[expose] {name}: " in said
    assert cause in said
    assert remedy in said


# the settings


def test_everything_that_is_wrong_is_reported_at_once(refuse: Refuse, home: Path) -> None:
    (home / "master.toml").write_text("durabilty = 'os'\nresults_max = -1\n")
    said = refuse("--config", "master.toml", "--log-level", "loud")
    assert "master.toml: unknown key 'durabilty'; did you mean durability?" in said
    assert "master.toml: results_max: must be a whole number from 0" in said
    assert "--log-level: must be one of debug, info, warning, error, not 'loud'" in said


def test_a_refused_master_holds_nothing_that_the_next_one_needs(
    refuse: Refuse, home: Path, master_factory: MasterFactory
) -> None:
    """Refused after the store was opened, which is the last that can be refused before the port."""
    master = master_factory(authkey=AUTHKEY)
    master.terminate()
    (home / "master.toml").write_text("[expose]\nget_x = 'lost:x'\n")
    key = home / "key"
    key.write_text(AUTHKEY)
    refuse("--config", "master.toml", "--authkey-file", key, data=master.data)
    master.start()
    assert master.running


# a worker


def test_a_worker_with_a_clients_key_is_not_ready_before_it_is_refused(master: Master, home: Path) -> None:
    (home / "jobs.py").write_text("import tq\n\n@tq.App().task\ndef job(): pass\n", "utf-8")
    admin = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey}
    key = run_program("tq", "keys", "add", "--role", "client", home=home, environment=admin).stdout.strip()
    arguments = ["--connect", master.address, "jobs.py"]
    done = run_program("tq-worker", *arguments, home=home, environment={"TQ_AUTHKEY": key})
    assert done.returncode == 4
    assert "ready" not in done.stderr
    assert "this key is a client key and cannot be used as worker" in done.stderr


def test_code_that_cannot_be_imported_is_reported_by_its_traceback_and_nothing_else(home: Path) -> None:
    (home / "bad.py").write_text("import no_such_module\n", "utf-8")
    done = run_program("tq-worker", "--authkey", AUTHKEY, "bad.py", home=home)
    assert done.returncode == 2
    first, *_, last = done.stderr.splitlines()
    assert first == "tq-worker: your code could not be imported:"
    assert last == "tq-worker: ModuleNotFoundError: No module named 'no_such_module'"


# the disk

FILL = """
import resource, sys
from pathlib import Path
from tq.common.errors import StoreError
from tq.master.store.sqlite.store import SqliteStore

store = SqliteStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
try:
    for number in range(100_000):
        store.begin()
        store.items.add_queue(f"{number:0200}", "fifo", 0, None)
        store.commit()
except StoreError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_not_reported_as_a_broken_disk(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, "tq.db"], cwd=home, capture_output=True, text=True, timeout=60
    )
    assert "disk I/O error; files of this process may have 1,048,576 bytes only: raise that" in done.stdout
