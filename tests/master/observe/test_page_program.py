"""The page of a master is started, read, started again and ended; it never gets the master's key."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tq.common.wire.address import Address
from tq.master.observe import page_program
from tq.master.observe.page_program import NICENESS, PageProgram, environment, reached

SECONDS = 45.0  # of a busy machine
BIND, MASTER = Address("127.0.0.1", 0), Address("", 5000)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="tq-master needs a POSIX system")


class Reports:
    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.came = asyncio.Event()

    def __call__(self, action: str, *, level: str = "info", **fields: Any) -> None:
        self.rows.append((action, fields))
        self.came.set()

    async def next(self) -> tuple[str, dict[str, Any]]:
        if not self.rows:
            self.came.clear()
            await asyncio.wait_for(self.came.wait(), SECONDS)
        return self.rows.pop(0)


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[str, ...]:
    """A module that the page's process runs instead of the page."""
    (folder / "page_of_a_test.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    return ("page_of_a_test",)


def test_it_says_where_it_is_has_no_key_and_a_low_rank_and_ends_with_the_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = program(
        tmp_path,
        monkeypatch,
        "import os, sys, time\n"
        f"while os.getpriority(0, 0) < {NICENESS}: time.sleep(0.01)\n"  # the master sets it when it has started the page
        "print('the page is at', sys.argv[1:], os.environ.get('TQ_AUTHKEY'))\ntime.sleep(60)",
    )
    monkeypatch.setenv("TQ_AUTHKEY", "a secret")

    async def run() -> tuple[tuple[str, dict[str, Any]], int | None]:
        reports = Reports()
        page = PageProgram(BIND, MASTER, reports, words)
        page.start()
        said = await reports.next()
        await page.end()
        assert page._process is not None
        return said, page._process.returncode

    (action, fields), status = asyncio.run(run())
    assert action == "page.started"
    assert "['--bind', '127.0.0.1:0', '--url', 'tq://127.0.0.1:5000'] None" in fields["address"]
    assert status == -15


def test_one_that_ends_is_started_again_which_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_program, "PAUSE_SECONDS", 0.01)
    words = program(
        tmp_path,
        monkeypatch,
        f"import pathlib, sys\nseen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        "times = len(seen.read_text()) if seen.exists() else 0\nseen.write_text('x' * (times + 1))\n"
        "if times < 2: sys.exit('tq: port 15672 of 127.0.0.1 is taken')\nprint('the page is at last')",
    )

    async def run() -> list[tuple[str, dict[str, Any]]]:
        reports = Reports()
        page = PageProgram(BIND, MASTER, reports, words)
        page.start()
        said = [await reports.next(), await reports.next()]
        await page.end()
        return said

    ended, started = asyncio.run(run())
    assert ended == ("page.ended", {"reason": "port 15672 of 127.0.0.1 is taken"})
    assert started[0] == "page.started"


def test_a_process_that_cannot_be_started_costs_the_master_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def run() -> tuple[str, dict[str, Any]]:
        reports = Reports()
        page = PageProgram(BIND, MASTER, reports)
        page.start()
        said = await reports.next()
        await page.end()
        return said

    assert asyncio.run(run()) == (
        "page.ended",
        {"reason": "it could not be started: No such file or directory"},
    )


def test_the_page_finds_the_master_on_this_machine_and_none_of_its_settings() -> None:
    assert reached(MASTER) == Address("127.0.0.1", 5000)
    assert reached(Address("10.0.0.5", 5000)) == Address("10.0.0.5", 5000)
    assert environment({"TQ_AUTHKEY": "secret", "PATH": "/bin"}) == {"PATH": "/bin", "PYTHONUNBUFFERED": "1"}
