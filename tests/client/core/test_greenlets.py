"""Programs in which gevent or eventlet have replaced what tq waits in: refused at once, or served."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from ...cluster.programs import clean_environment

SECONDS = 60
REFUSED_SECONDS_MAX = 20.0  # the import of all of it included; a connection to no master takes longer

PROGRAM = """
import faulthandler, math, sys
faulthandler.dump_traceback_later({seconds}, exit=True)
import tq
from tq.managers import SyncManager

app = tq.App("tq://127.0.0.1:9", authkey="x" * 40, connect_timeout=60)

@app.task
def square(x: int) -> int:
    return x * x

def started():
    with tq.local(1) as q:
        print(q.submit(math.sqrt, 16).result(), [one.result() for one in [q.submit(math.sqrt, 25)]])
    with SyncManager() as manager:
        queue, numbers = manager.Queue(), manager.dict()
        queue.put(1)
        numbers["a"] = queue.get()
        print(numbers.copy())
    with tq.Pool(1) as pool:
        print(list(pool.imap(math.sqrt, [4, 9])))

def refused(step):
    try:
        step()
    except tq.ConfigError as error:
        print(error)

if __name__ == "__main__":
    if sys.argv[1] == "works":
        started()
    else:
        for step in (lambda: square.submit(7), lambda: tq.Pool(1), tq.local, SyncManager().start):
            refused(step)
"""


def skip_without(library: str) -> None:
    """It is not imported here: of eventlet, each fork of this process would then be a warning, in the tests of others."""
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


def run(home: Path, patch: str, *arguments: str) -> tuple[list[str], float]:
    (home / "program.py").write_text(patch + PROGRAM.format(seconds=SECONDS), "utf-8")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "program.py", *arguments],
        cwd=home,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), time.monotonic() - began


@pytest.mark.parametrize(
    ("library", "patch", "words"),
    [
        (
            "gevent",
            "from gevent import monkey\nmonkey.patch_all()\n",
            "gevent has replaced this program's module threading",
        ),
        (
            "gevent",
            "from gevent import monkey\nmonkey.patch_all(thread=False)\n",
            "gevent has replaced this program's module queue",
        ),
        (
            "eventlet",
            "import eventlet\neventlet.monkey_patch()\n",
            "eventlet has replaced this program's module threading",
        ),
    ],
)
def test_a_program_whose_threads_are_greenlets_is_refused_at_once_with_what_to_write(
    tmp_path: Path, library: str, patch: str, words: str
) -> None:
    skip_without(library)
    said, seconds = run(tmp_path, patch, "refused")
    assert len(said) == 4
    for line in said:
        assert line.startswith(words)
        assert (
            "monkey.patch_all(thread=False, queue=False, subprocess=False)" in line or library == "eventlet"
        )
        assert "eventlet.monkey_patch(thread=False)" in line or library == "gevent"
    assert seconds < REFUSED_SECONDS_MAX


@pytest.mark.parametrize(
    ("library", "patch"),
    [
        (
            "gevent",
            "from gevent import monkey\nmonkey.patch_all(thread=False, queue=False, subprocess=False)\n",
        ),
        pytest.param(
            "eventlet",
            "import eventlet\neventlet.monkey_patch(thread=False)\n",
            marks=pytest.mark.thorough,  # the same way, by another library
        ),
    ],
)
def test_what_the_refusal_says_to_write_works(tmp_path: Path, library: str, patch: str) -> None:
    skip_without(library)
    said, _ = run(tmp_path, patch, "works")
    assert said == ["4.0 [5.0]", "{'a': 1}", "[2.0, 3.0]"]
