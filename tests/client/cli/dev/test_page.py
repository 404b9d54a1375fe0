"""The page beside ``tq dev``: what a person reads of it. The program is a stand-in here: ``tests/cluster`` starts the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tq.client.cli.dev import page as pages
from tq.client.cli.dev.home import StateDirectory
from tq.client.cli.dev.page import DevPage
from tq.common.wire.address import WEB_PORT


class Program:
    """What ``Process.start`` gives: its lines and its end come when a test says so."""

    def __init__(self, words: list[str], on_line: Callable[[str, str], None]) -> None:
        self.words, self.prints = words, on_line
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def end(self, *, hurry: asyncio.Event, grace_seconds: float) -> None:
        self.ended.set_result(0)


def session(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check: Callable[[DevPage, list[Program]], Awaitable[None]],
) -> list[str]:
    """What was said while ``check`` used a page that had been started."""
    said: list[str] = []
    started: list[Program] = []

    async def start(module: str, words: list[str], environment: object, on_line: Any) -> Program:
        started.append(Program(words, on_line))
        return started[-1]

    monkeypatch.setattr(pages.Process, "start", start)

    async def run() -> None:
        page = DevPage(StateDirectory(tmp_path), said.append)
        await page.start("tq://127.0.0.1:5000", {})
        await check(page, started)

    asyncio.run(run())
    return said


def test_the_link_that_logs_in_is_said_and_an_orderly_end_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(page: DevPage, started: list[Program]) -> None:
        [program] = started
        assert program.words[:2] == ["web", "--open"]
        program.prints("out", "within 60 s this logs you in: http://127.0.0.1:15672/open#abc")
        await page.end(asyncio.Event())
        await asyncio.sleep(0)

    [line] = session(tmp_path, monkeypatch, check)
    assert line.endswith("http://127.0.0.1:15672/open#abc")


def test_a_page_that_ends_by_itself_is_said_with_its_last_error_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(page: DevPage, started: list[Program]) -> None:
        [program] = started
        program.prints("err", "tq: the port is taken")
        program.prints("err", "see: tq help web")
        program.ended.set_result(2)
        for _ in range(3):  # the waiter, then what waits for it
            await asyncio.sleep(0)

    assert session(tmp_path, monkeypatch, check) == [
        "the page has ended, and nothing else has: the port is taken"
    ]


def test_a_port_that_another_program_took_while_the_page_started_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[int]()
    monkeypatch.setattr(pages, "free_port", lambda usual: 0 if usual in taken else usual)

    async def check(page: DevPage, started: list[Program]) -> None:
        [first] = started
        assert f"127.0.0.1:{WEB_PORT}" in first.words
        taken.append(WEB_PORT)
        first.ended.set_result(2)
        for _ in range(3):
            await asyncio.sleep(0)
        _, second = started
        assert second.words == [
            "127.0.0.1:0" if word.startswith("127.0.0.1") else word for word in first.words
        ]
        second.prints("out", "within 60 s this logs you in: http://127.0.0.1:41001/open#abc")
        await page.end(asyncio.Event())
        await asyncio.sleep(0)

    [line] = session(tmp_path, monkeypatch, check)
    assert line.endswith("http://127.0.0.1:41001/open#abc")


def test_a_page_whose_port_is_still_free_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "free_port", lambda usual: usual)

    async def check(page: DevPage, started: list[Program]) -> None:
        started[0].prints("err", "tq: the page needs jinja2")
        started[0].ended.set_result(2)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(started) == 1

    [line] = session(tmp_path, monkeypatch, check)
    assert line.endswith("nothing else has: the page needs jinja2")


def test_without_the_extra_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(page: DevPage, started: list[Program]) -> None:
        assert started == []
        await page.end(asyncio.Event())

    monkeypatch.setattr(pages, "is_installed", lambda: False)
    assert session(tmp_path, monkeypatch, check) == []
