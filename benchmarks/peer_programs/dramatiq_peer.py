"""Dramatiq: two processes of eight threads, results in Redis; one group, its results in order."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=os.environ["PEER_URL"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["PEER_URL"])))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True, queue_name="peer")
def nothing(value: int) -> int:
    return value


def run(count: int) -> int:
    tasks = dramatiq.group([nothing.message(number) for number in range(count)]).run()
    return sum(1 for _ in tasks.get_results(block=True, timeout=120_000))
