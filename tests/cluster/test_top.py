"""``tq top`` in a real terminal on a real cluster: keys, a master that restarts, and the terminal afterwards."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tq

from .conftest import Cluster, WorkerFactory
from .programs import END_SECONDS, Master, clean_environment, command
from .test_commands import parsed, runner, well

ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
FRAME_SECONDS = 20.0
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """A terminal of 80 × 24 and the program in it."""

    def __init__(self, master: Master, home: Path, *arguments: str) -> None:
        self._fd, terminal = pty.openpty()
        self.terminal = terminal
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.mode = termios.tcgetattr(terminal)
        environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey, "TERM": "xterm"}
        self.process = subprocess.Popen(
            [*command("tq"), "top", "--interval", "0.2", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=clean_environment(home, environment),
            cwd=home,
            start_new_session=True,
        )
        self.seen = b""

    def press(self, *keys: bytes) -> None:
        for key in keys:
            os.write(self._fd, key)

    def shows(self, words: str) -> None:
        """Wait until a frame from now on has these words."""
        self.seen, deadline = b"", time.monotonic() + FRAME_SECONDS
        while not re.search(words, text := STYLE.sub("", self.seen.decode("utf-8", "replace"))):
            assert time.monotonic() < deadline, (words, text[-4_000:])
            self._read(0.2)

    def ends(self) -> int:
        """Its status; the terminal is as it was before."""
        deadline = time.monotonic() + END_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline
            self._read(0.05)
        self._read(0.2)
        assert self.seen.rfind(LEAVE_SCREEN) > self.seen.rfind(ENTER_SCREEN)
        assert SHOW_CURSOR in self.seen[self.seen.rfind(LEAVE_SCREEN) - 20 :]
        assert termios.tcgetattr(self.terminal) == self.mode
        assert b"Traceback" not in self.seen
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        if select.select([self._fd], [], [], seconds)[0]:
            self.seen += os.read(self._fd, 65_536)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)
        os.close(self.terminal)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    opened: list[Screen] = []
    yield opened
    for screen in opened:
        screen.close()


def test_a_screen_is_walked_through_with_keys_and_outlives_the_master(
    master: Master, worker_factory: WorkerFactory, app: tq.App, home: Path, screens: list[Screen]
) -> None:
    worker_factory()
    fail = app.named("cluster_tasks:fail", queue="mail")
    assert fail.submit("no address").exception(timeout=20) is not None
    screen = Screen(master, home)
    screens.append(screen)
    screen.shows(r"LookupError: no address")
    screen.press(b"\r")
    screen.shows(r"queue mail")
    screen.shows(r"cluster_tasks:fail")
    screen.press(b"\r")
    screen.shows(r"raise LookupError\(message\)")
    screen.press(b"\x1b")
    screen.shows(r"queue mail")
    screen.press(b"p")
    screen.shows(r"pause queue mail\?")
    screen.press(b"y")
    screen.shows(r"mail is paused")
    screen.press(b"r", b"y")
    screen.shows(r"1 tasks of mail are ready again")
    screen.press(b"h", b"?")
    screen.shows(r"this page")
    master.kill()
    screen.shows(r"the master does not answer")
    screen.press(b"?")
    master.start()
    screen.shows(r"tq \d+\.\d+.* up ")
    screen.press(b"q")
    assert screen.ends() == 0
    assert app.call(["get_queues"], "list")[0]["paused"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_the_terminal_is_restored_however_it_ends(
    cluster: Cluster, home: Path, screens: list[Screen], number: int, status: int
) -> None:
    screen = Screen(cluster.master, home)
    screens.append(screen)
    screen.shows(r"QUEUES")
    screen.process.send_signal(number)
    assert screen.ends() == status


def test_a_pipe_gets_one_plain_frame_and_a_program_a_document(cluster: Cluster, home: Path) -> None:
    run = runner(cluster.master, home)
    for arguments in (["--once"], []):
        frame = well(run("top", *arguments))
        assert "\x1b" not in frame
        assert frame.startswith("tq ")
        assert max(map(len, frame.splitlines())) <= 80
    assert {"queues", "workers", "running", "failing", "rate"} <= parsed(run("top", "--json")).keys()
