"""A master whose state is in PostgreSQL, while masters and databases are killed, stopped and cut off: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import pytest
import tq

from tests.postgres import PostgresServer, require

from .conftest import MasterFactory, WorkerFactory
from .programs import eventually, free_port, run_program

BLOB_TASKS = Path(__file__).with_name("blob_tasks.py")


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    require()
    server = PostgresServer(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.mark.thorough
@pytest.mark.timeout(240)
def test_tasks_and_content_outlive_masters_databases_and_hosts(
    database: PostgresServer, master_factory: MasterFactory, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    master, notes = master_factory("--store", database.url()), tmp_path / "notes"
    worker = worker_factory(address=master.address, authkey=master.authkey)
    large = tq.Blob.of(b"tq" * 1_500_000)
    with tq.App(master.url, master.authkey) as app:
        waiting = app.submit("blob_tasks:measured", large)
        tasks = [app.submit("cluster_tasks:noted", str(notes), number, 0.01) for number in range(200)]
        assert tasks[5].result(timeout=30) == 5
        master.restart()
        assert tasks[20].result(timeout=30) == 20
        database.kill()
        eventually(lambda: "database.away" in master.log)
        database.start()
        assert [task.result(timeout=60) for task in tasks] == list(range(200))
        eventually(lambda: "database.back" in master.log)
        # Another host: nothing is there but what the cluster's masters share.
        master.kill()
        for file in master.data.glob("copy.*"):
            file.unlink()
        for file in sorted((master.data / "blobs").rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        eventually(lambda: _is_free(database), 40)
        master.start()
        worker_factory(1, tasks=BLOB_TASKS, address=master.address, authkey=master.authkey)
        assert waiting.result(timeout=30) == large.size
        assert [task.result(timeout=60) for task in tasks] == list(range(200))
    assert sorted(map(int, notes.read_text().split())) == list(range(200))
    assert worker.running


def _is_free(database: PostgresServer) -> bool:
    import psycopg

    with psycopg.connect(database.url()) as connection:
        return (
            connection.execute("SELECT 1 FROM tq.shards WHERE until > clock_timestamp()").fetchone() is None
        )


@pytest.mark.thorough
@pytest.mark.timeout(240)
def test_while_the_database_stands_still_all_waits_and_the_pages_say_so(
    database: PostgresServer, master_factory: MasterFactory, worker_factory: WorkerFactory
) -> None:
    port = free_port()
    master = master_factory("--store", database.url(), "--http", f"127.0.0.1:{port}")
    worker_factory(address=master.address, authkey=master.authkey)
    with ThreadPoolExecutor(1) as waiting, tq.App(master.url, master.authkey) as app:
        assert app.submit("cluster_tasks:add", 1, 2).result(timeout=20) == 3
        database.signal_all(signal.SIGSTOP)
        try:
            accepted = waiting.submit(app.submit, "cluster_tasks:add", 2, 3)
            reasons = eventually(lambda: unready(port), 40)
            assert "slow or stuck" in reasons[0] or "does not answer" in reasons[0]
        finally:
            database.signal_all(signal.SIGCONT)
        assert accepted.result(timeout=30).result(timeout=30) == 5
        eventually(lambda: not unready(port))


def unready(port: int) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            found = json.load(answer)["reasons"]
    except HTTPError as error:
        found = json.load(error)["reasons"]
    assert isinstance(found, list)
    return found


def test_what_cannot_work_is_refused_before_anything_opens(database: PostgresServer, home: Path) -> None:
    url = database.url()

    def refused(*options: str, **environment: str) -> str:
        words = ["--bind", "127.0.0.1:0", "--data", str(home / "data"), *options]
        ended = run_program("tq-master", *words, home=home, environment=environment)
        assert ended.returncode == 2, ended.stderr
        assert "geheim" not in ended.stderr + ended.stdout
        return ended.stderr

    assert "PGPASSFILE" in refused("--store", url.replace("postgres@", "postgres:geheim@"))
    assert "sslmode=verify-full" in refused(TQ_STORE="postgresql://tq:geheim@db.example/tasks")
    assert "leave one of them out" in refused("--store", url, "--durability", "memory")
    assert "must be postgresql://" in refused("--store", "mysql://tq:geheim@localhost/tasks")
    assert "createdb" in refused("--store", database.url("nowhere"))
    assert "check host and port" in refused(TQ_STORE="postgresql://tq:geheim@127.0.0.1:1/tasks")
    assert not (home / "data" / "admin.key").exists()
