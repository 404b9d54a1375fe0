"""Celery: a pool of two processes, many tasks fetched ahead, acknowledged early; one group, joined."""

from __future__ import annotations

import os

from celery import Celery, group

app = Celery("celery_peer", broker=os.environ["PEER_URL"], backend=os.environ["PEER_URL"])
app.conf.update(worker_prefetch_multiplier=100, broker_connection_retry_on_startup=True)


@app.task
def nothing(value: int) -> int:
    return value


@app.task
def total(values: list[int]) -> int:
    return len(values)


def run(count: int) -> int:
    return len(group(nothing.s(number) for number in range(count)).apply_async().get())
