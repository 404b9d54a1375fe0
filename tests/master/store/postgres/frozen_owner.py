"""A program that owns shard 7 and stops itself in the middle of a commit: its condition has been sent, its end has not.

What it prints when it goes on is what became of that commit. ``python -m … DSN``
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from tq.master.store.interface.store import Displaced
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.line import PostgresLine, Statement
from tq.master.store.postgres.masters import say_here
from tq.master.store.postgres.shard import OwnersCommits
from tq.master.store.postgres.shard_renewal import ShardRenewal
from tq.master.store.postgres.tenure import Tenure, clock
from tq.master.store.postgres.waiting import DatabaseWait

from .owners import A, take


class StoppingLine(PostgresLine):
    """Its first transaction is sent as far as the condition; then the process stands still."""

    def run(self, statements: Sequence[Statement], seconds_max: float) -> list[Any]:
        wire = self.connection.pgconn
        wire.enter_pipeline_mode()
        for one in statements[:-1]:
            wire.send_query_params(one.text, one.values, one.types, [1] * len(one.values), 1)
        wire.send_flush_request()
        while wire.flush():
            pass
        wire.get_result()  # the database has begun
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().run([Statement(b"SELECT 1")], seconds_max)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(url: str) -> None:
    address = read_address(url)

    def connect() -> PostgresLine:
        return PostgresLine(address, 10)

    line = connect()
    say_here(line, A)
    held, tenure = take(line, A), Tenure(clock())
    renewal = ShardRenewal(held, connect, A, lambda reason: None, tenure)
    wait = DatabaseWait("it", lambda *_, **__: None)
    commits = OwnersCommits(held, StoppingLine(address, 10), connect, wait, durable=True, tenure=tenure)
    say("owns")
    try:
        commits.commit([])
    except Displaced:
        say(f"displaced {tenure.is_certain}")
    else:
        say("committed")
    renewal.close()


if __name__ == "__main__":
    main(sys.argv[1])
