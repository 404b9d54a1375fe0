"""An owner in the middle of a commit holds the row of its shard: who waits for it, for how long, and who ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from tq.master.store.interface.store import OwnedElsewhere
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.bounds import LOCK_SHARE
from tq.master.store.postgres.line import DatabaseAway, PostgresLine, Statement
from tq.master.store.postgres.masters import look, renew, say_here
from tq.master.store.postgres.shard import CLAIM_SECONDS_MAX, Ownership
from tq.master.store.postgres.tenure import LEASE_SECONDS
from tq.master.store.postgres.watching import ShardWatch

from .owners import A, B, over, take

TAKEN_SECONDS_MAX = 15.0  # a lease, a look and the wait for a lock, on a machine that has other work


@pytest.fixture
def other_line(owners_database: DatabaseAddress) -> Iterator[PostgresLine]:
    line = PostgresLine(owners_database, 10)
    yield line
    line.close()


def begin_commit(line: PostgresLine, held: Ownership) -> None:
    """As far as its condition, in one pipeline that has no end yet."""
    wire, condition = line.connection.pgconn, held.condition()
    wire.enter_pipeline_mode()
    for one in (Statement(b"BEGIN"), condition):
        wire.send_query_params(one.text, one.values, one.types, [1] * len(one.values), 1)
    wire.send_flush_request()
    while wire.flush():
        pass
    wire.get_result()
    wire.get_result()
    wire.get_result()  # the condition's: the row is held


def silent(line: PostgresLine) -> None:
    """All masters have said nothing for longer than a lease."""
    line.connection.execute(
        "UPDATE tq.masters SET seen = clock_timestamp() - make_interval(secs => %s)", (LEASE_SECONDS + 1,)
    )


def test_a_commit_that_stands_still_after_its_owners_time_is_ended_by_who_claims(
    owners_line: PostgresLine, other_line: PostgresLine
) -> None:
    say_here(owners_line, A)
    held = take(owners_line, A)
    over(owners_line)
    begin_commit(other_line, held)
    silent(owners_line)
    assert take(owners_line, B).epoch == 2
    other_line.connection.pgconn.exit_pipeline_mode()
    with pytest.raises(DatabaseAway):
        other_line.run([Statement(b"COMMIT")], 10)


def test_a_long_commit_of_an_owner_that_says_it_is_here_is_left_alone(
    owners_line: PostgresLine, other_line: PostgresLine
) -> None:
    say_here(owners_line, A)
    held = take(owners_line, A)
    over(owners_line)
    begin_commit(other_line, held)
    seen = look(owners_line, 7)
    assert seen is not None
    assert not seen.is_free, "its lease is over, but it is there"
    assert renew(owners_line, held) is None, "it can neither renew nor has it lost anything"
    began = time.monotonic()
    with pytest.raises(OwnedElsewhere, match="in the middle of a commit"):
        take(owners_line, B)
    assert time.monotonic() - began >= 0.9 * LOCK_SHARE * CLAIM_SECONDS_MAX


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_process_stopped_between_condition_and_commit_is_displaced_within_a_bound(
    owners_line: PostgresLine, owners_database: DatabaseAddress, postgres_url: str
) -> None:
    command = [sys.executable, "-m", "tests.master.store.postgres.frozen_owner", postgres_url]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owns\n"
        os.waitid(os.P_PID, owner.pid, os.WSTOPPED | os.WNOWAIT)
        stopped = time.monotonic()
        free = threading.Event()
        watch = ShardWatch(
            7,
            lambda: PostgresLine(owners_database, 10),
            B,
            lambda seen: free.set() if seen and seen.is_free else None,
            lambda error: None,
        )
        try:
            assert free.wait(TAKEN_SECONDS_MAX)
        finally:
            watch.close()
        assert take(owners_line, B).epoch == 2
        assert time.monotonic() - stopped <= TAKEN_SECONDS_MAX
        os.kill(owner.pid, signal.SIGCONT)
        said, _ = owner.communicate(timeout=30)
        assert said == "displaced False\n"
    finally:
        owner.kill()
        owner.wait()
