"""A master that is killed around a commit: the database decides what happened, whatever its working copy has."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import PostgresServer

from ...conftest import SHARDS

LIVE = """
import os, signal, sys
from pathlib import Path
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.store import PostgresStore

url, folder, shard, when = sys.argv[1:]
store = PostgresStore(read_address(url), Path(folder), shard=int(shard))

def note(value):
    store.begin()
    store.set_meta("x", value)
    store.commit()

note(b"1")
real = store.committer.commit

def killed(*given):
    if when == "behind the commit of the database":
        real(*given)
    os.kill(os.getpid(), signal.SIGKILL)

store.committer.commit = killed
note(b"2")
"""  # a process of its own: one commit, and another in which it is killed


@pytest.mark.parametrize(
    ("when", "expected"),
    [("before the commit of the database", b"1"), ("behind the commit of the database", b"2")],
)
def test_the_next_start_has_what_the_database_has(
    postgres: PostgresServer, tmp_path: Path, when: str, expected: bytes
) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    from ..differences import differences

    shard = next(SHARDS)
    words = [sys.executable, "-c", LIVE, postgres.url(), str(tmp_path), str(shard), when]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=50)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    # At once: it was this directory's master, so there is no lease to wait for.
    store = PostgresStore(read_address(postgres.url()), tmp_path, shard=shard)
    try:
        store.begin()
        assert store.get_meta("x") == expected
        store.rollback()
        assert differences(store) == []
        store.begin()
        store.set_meta("x", b"3")
        store.commit()
        assert differences(store) == []
    finally:
        store.close()
