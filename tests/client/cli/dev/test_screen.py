"""The output of `tq dev` for the records that it receives."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from tq.client.cli.dev.screen import DevScreen

RECORD = {
    "action": "task.ended",
    "attempt": 1,
    "call": "square(7)",
    "outcome": "success",
    "seconds": 0.0004,
    "text": "49",
}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> DevScreen:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return DevScreen("/srv/work", lambda: time.gmtime(0))


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def task(screen: DevScreen, **fields: Any) -> None:
    screen.task({**RECORD, **fields})


def test_a_task_is_one_line_without_colour_in_a_pipe(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    task(screen)
    task(screen, seconds=0.25, attempt=3)
    task(screen, seconds=75.0, call=f"square({'x' * 100})", text="a\nb")
    first, second, third = shown(capsys)
    assert first == "00:00:00 worker ✓  400 µs  square(7) → 49"
    assert second == "00:00:00 worker ✓  250 ms  square(7) (attempt 3) → 49"
    assert re.fullmatch(r"00:00:00 worker ✓  75\.0 s  square\(x+… → a b", third)


def test_a_failure_is_followed_by_its_traceback_with_paths_from_here(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    traceback = 'Traceback …\n  File "/srv/work/jobs.py", line 3, in f\nKeyError: 1\n'
    task(screen, outcome="error", text="KeyError: 1", traceback=traceback)
    assert shown(capsys) == [
        "00:00:00 worker ✗  400 µs  square(7) → KeyError: 1",
        "         Traceback …",
        '           File "jobs.py", line 3, in f',
        "         KeyError: 1",
    ]


def test_a_failure_without_traceback_is_followed_by_its_words(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    task(screen, outcome="crash", text="the process running it was killed by SIGKILL", traceback="")
    assert shown(capsys)[1] == "         the process running it was killed by SIGKILL"


def test_only_what_is_amiss_is_shown_of_the_logs(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.event("worker", {"level": "info", "action": "worker.connected"})
    screen.event("worker", {"level": "warning", "action": "task.timeout", "task": "1"})
    screen.event("master", {"level": "error", "action": "store.failed", "reason": "disk full"})
    [line] = shown(capsys)
    assert line.startswith("00:00:00 master the store failed;")
    assert line.endswith("reason=disk full")


def test_markup_of_a_task_is_text_like_any_other(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    task(screen, call="show('[red]x[/]')", text="'[/]'")
    screen.more(1_240, 3)
    screen.printed("worker", "[bold]as it is")
    first, second, third = shown(capsys)
    assert first.endswith("show('[red]x[/]') → '[/]'")
    assert second == "00:00:00 worker … 1,240 more in the last second, 3 of them failed"
    assert third == "         [bold]as it is"


def test_what_stands_below_the_banner_waits_for_it(
    screen: DevScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.say_below("the page: http://…")
    assert shown(capsys) == []
    screen.banner("tq dev", [("stop", "Ctrl-C")])
    assert [line.split()[-1] for line in shown(capsys)] == ["dev", "Ctrl-C", "http://…"]
    screen.say_below("later")
    assert len(shown(capsys)) == 1
