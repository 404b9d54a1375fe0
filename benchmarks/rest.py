"""What masters cost while there is nothing to do: each shard of one; and with a database the one that serves, one that stands by, and the
database for them.

Processor time is read of every thread, from /proc, and statements are counted by the database itself (``pg_stat_statements``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from .cluster import cluster
from .database import missing
from .idle import SETTLE_SECONDS, busy_seconds
from .postgres_server import postgres
from .readings import Readings
from .scale import Scale
from .take_over import Pair, pair

SHARDS: Final = 16
COUNTING: Final = "shared_preload_libraries=pg_stat_statements"
STATEMENTS: Final = b"SELECT coalesce(sum(calls), 0)::int8 FROM pg_stat_statements WHERE query LIKE '%tq.%'"


def rest(scale: Scale) -> Readings:
    """``rest.WHO.cpu_share`` of a core and ``rest.WHO.bytes`` resident of ``serves`` and ``stands_by``, ``rest.database.cpu_share``,
    ``rest.database.statements`` a second: for both. ``rest.shard.cpu_share`` and ``….bytes`` of each further shard of a master with files,
    ``rest.one.…`` of one that has one."""
    numbers = _of_shards(scale.rest_seconds)
    if (reason := missing()) is not None:
        return Readings(numbers=numbers, notes={"rest": f"not measured: {reason}"})
    with postgres(durable=True, settings=(COUNTING,)) as url, pair(url, with_worker=False) as masters:
        return Readings(numbers={**numbers, **_at_rest(url, masters, scale.rest_seconds)})


def _of_shards(seconds: float) -> dict[str, float]:
    one, many = (_alone(shards, seconds) for shards in (1, SHARDS))
    each = {name: (many[name] - one[name]) / (SHARDS - 1) for name in one}
    return {
        f"rest.{who}.{name}": value
        for who, of in (("one", one), ("shard", each))
        for name, value in of.items()
    }


def _alone(shards: int, seconds: float) -> dict[str, float]:
    """A master with files."""
    with cluster(slots=0, master_options=[f"--shards={shards}"]) as measured:
        time.sleep(SETTLE_SECONDS)
        before = busy_seconds(measured.master)
        time.sleep(seconds)
        share = (busy_seconds(measured.master) - before) / seconds
        return {"cpu_share": share, "bytes": float(measured.master.memory_info().rss)}


def _at_rest(url: str, masters: Pair, seconds: float) -> dict[str, float]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        time.sleep(SETTLE_SECONDS)
        mine = connection.info.backend_pid
        readers: dict[str, Callable[[], float]] = {
            "rest.serves.cpu_share": lambda: busy_seconds(masters.serves),
            "rest.stands_by.cpu_share": lambda: busy_seconds(masters.stands_by),
            "rest.database.cpu_share": lambda: sum(map(busy_seconds, _of_database(url, mine))),
            "rest.database.statements": lambda: float(connection.execute(STATEMENTS).fetchall()[0][0]),
        }
        before = {name: read() for name, read in readers.items()}
        time.sleep(seconds)
        numbers = {name: (read() - before[name]) / seconds for name, read in readers.items()}
        connections = (
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> %s"
        )
        numbers["rest.database.connections"] = float(
            connection.execute(connections.encode(), (mine,)).fetchall()[0][0]
        )
    numbers["rest.serves.bytes"] = float(masters.serves.memory_info().rss)
    numbers["rest.stands_by.bytes"] = float(masters.stands_by.memory_info().rss)
    return numbers


def _of_database(url: str, without: int) -> list[psutil.Process]:
    """The processes of the server at this URL, but for the one that serves this program."""
    folder = Path(url.partition("host=")[2])
    server = psutil.Process(int((folder / "data" / "postmaster.pid").read_text("utf-8").split()[0]))
    return [one for one in (server, *server.children()) if one.pid not in (without, os.getpid())]
