"""A trial of several masters over one PostgreSQL, each of which the tests may reach, and which reach their database, through a proxy of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tq.common.runtime.config import MasterSettings
from tq.master import joining
from tq.master.store.postgres.arrays import from_bytes
from xprocess import XProcess

from ..cluster.programs import Master, eventually
from ..cluster.proxy import Proxy
from ..history.checker import Final
from ..history.loading import finals
from .tally import Tally
from .trial import MORTAL_MASTER, SECONDS, Trial

STANDS_BY, SERVES = r"master\.stands_by", r"master\.started"
OWNER = "SELECT owner FROM tq.shards WHERE until > clock_timestamp()"
# As if another master had taken the state over, and released it at once.
PASS_ON = "UPDATE tq.shards SET owner = 'another:0', epoch = epoch + 1, until = NULL"


class MastersTrial(Trial):
    """``url``: of the database. ``start`` begins with the first of its masters as the owner."""

    def __init__(self, fault: str, xprocess: XProcess, home: Path, tally: Tally, url: str) -> None:
        super().__init__(fault, xprocess, home, tally)
        self.database = url
        self.masters: list[Master] = []
        self._programs.clear()  # the one of a trial of one master has not been started
        self._stack.callback(self._end_masters)

    def start(
        self,
        masters: int = 3,
        urls: Sequence[str] = (),
        options: Sequence[Sequence[str]] = (),
        pattern: str = STANDS_BY,
    ) -> None:
        """``urls``: by which each of them reaches the database. ``options``: what each is started with besides. ``pattern``: what each
        but the first says."""
        for place in range(masters):
            folder = self.home / f"master{place}"
            folder.mkdir()
            url = urls[place] if urls else self.database
            more = options[place] if options else ()
            one = Master(self._xprocess, folder, "--store", url, *more, own_certificate=False)
            one.command = MORTAL_MASTER
            one.environment = {**self.master.environment, "FAULT_CLOCK": str(folder / "clock")}
            self.masters.append(one)
            self._programs.append(one)
            if place:
                join(self.masters[0], one)
            self.launch(one, SERVES if place == 0 else pattern)
        self.master = self.masters[0]

    def launch(self, master: Master, pattern: str = f"{STANDS_BY}|{SERVES}") -> None:
        """Start it, or start it again."""
        master.launch(["--bind", master.address, "--data", master.data, *master.options], pattern)

    @property
    def addresses(self) -> str:
        return ",".join(one.address for one in self.masters)

    def owner(self) -> Master | None:
        """The one that the database names; its process may be another meanwhile."""
        found = self.ask(OWNER)
        pid = int(found[0][0].split(":")[1].split("-")[0]) if found else None
        return next((one for one in self.masters if one.pid == pid), None)

    def serving(self, but: Master | None = None) -> Master:
        """The one that serves, and is not that one."""

        def one() -> Master | None:
            found = self.owner()
            return found if found is not but else None

        found = eventually(one, SECONDS)
        assert found is not None
        return found

    def ask(self, sql: str, *values: Any) -> list[Any]:
        import psycopg

        with psycopg.connect(self.database, autocommit=True, options="-c search_path=tq") as connection:
            cursor = connection.execute(sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def _final(self) -> dict[str, Final]:
        self._end_masters()
        return finals(lambda sql: [[_value(one) for one in row] for row in self.ask(sql)])

    def _end_masters(self) -> None:
        for one in self.masters:
            one.end()


def join(first: Master, other: Master) -> None:
    """A certificate of the cluster for another host."""
    asked = joining.request(MasterSettings(data=other.data)).encode()
    joining.join(
        MasterSettings(data=other.data), joining.admit(MasterSettings(data=first.data), asked)[0].encode()
    )


def through(proxy: Proxy, url: str) -> str:
    """The address of a database behind a proxy."""
    parts = urlsplit(url)
    return f"postgresql://{parts.username}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"


def _value(value: Any) -> Any:
    return from_bytes(value) if isinstance(value, bytes) else value


NewTrial = Callable[[str, str], MastersTrial]
