"""RQ: two workers that do not fork for each job, one pipelined enqueue, results fetched when all are finished."""

from __future__ import annotations

import os
import time

import redis
from rq import Queue
from rq.job import Job

connection = redis.Redis.from_url(os.environ["PEER_URL"])
queue = Queue(connection=connection)


def nothing(value: int) -> int:
    return value


def run(count: int) -> int:
    jobs = queue.enqueue_many([Queue.prepare_data(nothing, (number,)) for number in range(count)])
    ids = [job.id for job in jobs]
    while queue.finished_job_registry.count < count:
        time.sleep(0.005)
    finished = Job.fetch_many(ids, connection=connection)
    results = [job.return_value() for job in finished if job is not None]
    for id in ids:
        queue.finished_job_registry.remove(id)
    return len([result for result in results if result is not None])
