"""A database that is restored to a moment, from a base backup and its archived log, by the commands of docs/howto/more-than-one-machine.md."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tq

from tests.postgres import PostgresServer, require
from tests.postgres_server import USER

from .conftest import MasterFactory, WorkerFactory
from .programs import eventually


class Archived:
    """A server that archives its log, into ``archive`` beside its directory of data."""

    def __init__(self) -> None:
        self.server = PostgresServer(settings=("archive_mode=on", "archive_command=cp %p ../archive/%f"))
        self._folder("archive").mkdir()
        shutil.chown(self._folder("archive"), USER)
        self.server.start()

    def _folder(self, name: str) -> Path:
        return self.server.folder / name

    def ask(self, question: str) -> Any:
        import psycopg

        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            [(answer,)] = connection.execute(question.encode()).fetchall()
            return answer

    def back_up(self) -> None:
        base = str(self._folder("base"))
        self.server._run("pg_basebackup", "-h", str(self.server.folder), "-U", USER, "-D", base, "-c", "fast")

    def archive_all(self) -> None:
        """Up to now: the segment that is written to is ended, and waited for."""
        segment = self.ask("SELECT pg_walfile_name(pg_switch_wal())")
        eventually(lambda: (self._folder("archive") / segment).exists())

    def restore(self, moment: str) -> None:
        """Its directory of data is lost; the backup takes its place, and what was archived is done again until this moment."""
        self.server.kill()
        shutil.rmtree(self._folder("data"))
        self._folder("base").rename(self._folder("data"))
        (self._folder("data") / "recovery.signal").touch()
        with (self._folder("data") / "postgresql.auto.conf").open("a") as settings:
            settings.write("restore_command = 'cp ../archive/%f %p'\n")
            settings.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = promote\n")
        self.server.start()
        eventually(lambda: not self.ask("SELECT pg_is_in_recovery()"))


@pytest.fixture
def archived() -> Iterator[Archived]:
    require()
    made = Archived()
    try:
        yield made
    finally:
        made.server.close()


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_a_master_goes_on_from_the_moment_to_which_its_database_is_restored(
    archived: Archived, master_factory: MasterFactory, worker_factory: WorkerFactory
) -> None:
    master = master_factory("--store", archived.server.url())
    worker_factory(address=master.address, authkey=master.authkey)
    with tq.App(master.url, master.authkey) as app:
        assert app.submit("cluster_tasks:add", 1, 2).result(timeout=30) == 3
        archived.back_up()
        ended = app.submit("cluster_tasks:add", 2, 3)
        assert ended.result(timeout=30) == 5
        waiting = app.submit("nowhere:task")
        moment = archived.ask("SELECT clock_timestamp()::text")
        mistake = app.submit("cluster_tasks:add", 3, 4)
        assert mistake.result(timeout=30) == 7
        waiting.cancel()
        archived.archive_all()
        assert master.terminate() == 0
        archived.restore(moment)
        master.start()
        assert app.submit("cluster_tasks:add", 4, 5).result(timeout=30) == 9
        assert app.get(ended.id).result(timeout=30) == 5
        assert app.get(waiting.id).state == tq.State.READY, "the cancel was behind the moment"
        with pytest.raises(tq.UnknownTask):
            app.get(mistake.id).result(timeout=30)
