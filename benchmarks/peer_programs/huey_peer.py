"""Huey: two worker processes; on Redis with a blocking pop, or on SQLite with a sync at every commit."""

from __future__ import annotations

import os

from huey import RedisHuey, SqliteHuey

if os.environ["PEER_URL"].startswith("redis:"):
    huey = RedisHuey("peer", url=os.environ["PEER_URL"])
else:
    huey = SqliteHuey("peer", filename=os.environ["PEER_URL"], fsync=True)


@huey.task()
def nothing(value: int) -> int:
    return value


def run(count: int) -> int:
    results = [nothing(number) for number in range(count)]
    return len([one for one in results if one.get(blocking=True, backoff=1, max_delay=0.005) is not None])
