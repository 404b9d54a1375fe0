"""Submits in the transactions of a program, with the real programs: what is committed is accepted once, and nothing else ever, whatever is
killed in between."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tq
from xprocess import XProcess

from tests.postgres import PostgresServer, serving

from .conftest import AppFactory, WorkerFactory
from .programs import Master, Program, eventually, let_pass
from .test_commands import parsed, runner, well

TASKS = Path(__file__).with_name("outbox_tasks.py")


class RelayProgram(Program):
    """``tq outbox run``."""

    def __init__(self, xprocess: XProcess, home: Path, master: Master, database: str) -> None:
        super().__init__(xprocess, "tq", home)
        self._words = ["outbox", "run", "--database", database, "--poll", "0.1s"]
        self.environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("client")}

    def start(self) -> None:
        self.launch(self._words, "handing over")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with serving() as server:
        yield server


@pytest.fixture
def path(home: Path) -> str:
    return str(home / "app.db")


def test_a_program_submits_while_there_is_no_master(
    master: Master,
    worker_factory: WorkerFactory,
    app_factory: AppFactory,
    home: Path,
    path: str,
) -> None:
    run, app = runner(master, home), app_factory(master.url, master.authkey)
    master.kill()
    assert well(run("outbox", "init", "--database", path)) == f"sqlite:///{path} has the table tq_outbox\n"
    db, double = sqlite3.connect(path), app.named("outbox_tasks:double")
    double.using(outbox=db).submit(1)
    db.rollback()
    handle = double.using(outbox=db).submit(21)
    handles = double.using(outbox=db).map(range(1_500))
    db.commit()
    assert well(run("outbox", "status", "--database", path)).startswith("waiting 3 (the oldest for ")
    refused = run("outbox", "run", "--database", path, "--once")
    assert refused.returncode == 3, "no master answers"
    master.start()
    worker_factory(tasks=TASKS)
    said = run("outbox", "run", "--database", path, "--once", "--json")
    assert '"handed_over": 3' in well(said)
    assert parsed(run("outbox", "status", "--database", path, "--json"))["waiting"] == 0
    assert handle.result(timeout=30) == 42
    assert sum(handles.results(timeout=30)) == 1_500 * 1_499
    assert len(parsed(run("ls", "--json"))) == 2, "an array and a task"
    db.close()


def test_a_key_of_some_queues_sets_aside_what_it_may_not_and_a_full_queue_holds_up_no_other(
    master: Master, home: Path, path: str
) -> None:
    admin = runner(master, home)
    key = well(admin("keys", "add", "--role", "client", "--queue", "mail", "--queue", "narrow")).split()
    token = next(word for word in key if len(word) > 60)
    relay = runner(master, home, token)
    well(admin("queues", "set", "narrow", "--maxsize", "1", "--create"))
    well(relay("outbox", "init", "--database", path))
    db, app = sqlite3.connect(path), tq.App(master.url, token)
    double = app.named("outbox_tasks:double")
    for queue in ("narrow", "narrow", "payroll", "mail"):
        double.using(outbox=db, queue=queue).submit(1)
    double.using(outbox=db, queue="narrow").map(range(2))
    db.commit()
    said = relay("outbox", "run", "--database", path, "--once")
    assert (
        "in queue payroll: Forbidden: this key may use the queues mail, narrow, not 'payroll'" in said.stderr
    )
    status = parsed(relay("outbox", "status", "--database", path, "--json"))
    assert (status["waiting"], status["refused"]) == (1, 2)
    assert "the row has 2 tasks, and at most 1 may wait in queue narrow" in said.stderr
    shown = relay("outbox", "status", "--database", path).stdout
    assert "payroll  outbox_tasks:double      1  Forbidden: this key may use" in shown
    [id] = [row["id"] for row in status["rows"] if row["queue"] == "payroll"]
    assert well(relay("outbox", "discard", id, "--database", path)) == "1 row deleted\n"
    well(admin("queues", "set", "narrow", "--maxsize", "0"))
    assert well(relay("outbox", "retry", "--all", "--database", path)) == "1 row to hand over again\n"
    assert relay("outbox", "run", "--database", path, "--once").returncode == 0
    assert parsed(relay("outbox", "status", "--database", path, "--json"))["waiting"] == 0
    states = app.call(("get_tasks",), "select", {"queues": ["narrow"]})["states"]
    assert sum(tasks for _, tasks in states) == 4
    app.close()
    db.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("postgres", 4),
        pytest.param("sqlite", 8, marks=pytest.mark.thorough),
        pytest.param("postgres", 25, marks=pytest.mark.thorough),
    ],
)
def test_what_is_committed_is_accepted_once_while_relays_and_the_master_are_killed(
    kind: str,
    kills: int,
    request: pytest.FixtureRequest,
    xprocess: XProcess,
    programs: list[Program],
    master: Master,
    worker_factory: WorkerFactory,
    home: Path,
    path: str,
) -> None:
    """The results are deleted at once, so that a row that is accepted again runs again, as a first attempt."""
    connect: Callable[[], Any]
    if kind == "postgres":
        import psycopg

        address = request.getfixturevalue("postgres").create(f"app{kills}")
        connect = lambda: psycopg.connect(address)  # noqa: E731 - beside the other
    else:
        address, connect = path, lambda: sqlite3.connect(path, timeout=30)
    run, lines = runner(master, home), home / "lines"
    well(run("outbox", "init", "--database", address))
    worker_factory(tasks=TASKS)
    relays = [RelayProgram(xprocess, home, master, address) for _ in range(2)]
    programs.extend(relays)
    for relay in relays:
        relay.start()
    committed, over = list[int](), threading.Event()

    def write() -> None:
        random_ = random.Random(7)  # noqa: S311 - repeatable
        db = connect()
        note = tq.App(master.url, master.authkey).named("outbox_tasks:note", result="none", result_ttl=0.01)
        number = 0
        while not over.is_set():
            some = range(number, number + random_.randrange(1, 4))
            number = some.stop
            for one in some:
                note.using(outbox=db).submit(str(lines), one)
            if random_.random() < 0.3:
                db.rollback()
            else:
                db.commit()
                committed.extend(some)
            over.wait(0.005)
        db.close()

    writer = threading.Thread(target=write)
    writer.start()
    chance = random.Random(11)  # noqa: S311 - repeatable
    for _ in range(kills):
        let_pass(chance.random() * 0.7)
        victim = chance.choice([*relays, master])
        victim.kill()
        victim.start()
    over.set()
    writer.join(30)
    assert len(committed) > 50

    def is_over() -> bool:
        with suppress(AssertionError):
            return parsed(run("outbox", "status", "--database", address, "--json")) == {
                "waiting": 0,
                "oldest": None,
                "sent": 0,
                "refused": 0,
                "rows": [],
            }
        return False

    eventually(is_over, 60)
    eventually(
        lambda: len({line.split()[0] for line in lines.read_text().splitlines()}) >= len(committed), 60
    )
    for relay in relays:
        assert relay.terminate() == 0
    runs = Counter(lines.read_text().splitlines())
    first = {int(line.split()[0]): times for line, times in runs.items() if line.endswith(" 1")}
    assert first == dict.fromkeys(committed, 1)
