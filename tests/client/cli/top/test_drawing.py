"""Frames of ``tq top``: what stands in them, at every size and whatever names there are."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from tq.client.cli.top.drawing import bar, draw, shares, sparkline, window
from tq.client.cli.top.state import Confirmation, Effect, Model, View, detailed, looked, lost, press
from tq.client.cli.top.terminal import keys
from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.values.failure import Failure

from .looks import NOW, failing, look, queue, worker

ID = b"\x01" * 16


def text(model: Model, width: int = 80, height: int = 24) -> str:
    return "\n".join(line.plain for line in draw(model, width, height, NOW))


@pytest.fixture
def model() -> Model:
    return looked(Model(), look())


def test_home_shows_everything_at_80_columns_and_24_lines(model: Model) -> None:
    shown = text(model)
    for words in (
        "tq 0.1.0  up 2 h  commit 2 ms (fsync)",
        "1,240/s",
        "16 slots  12,350 ready  8 running  4 failed",
        "img                          12,345        8        0        0  1,200/s   40.0 s",
        "mail (paused)",
        "crow aaaa                       3/8 ███░░░░░     12/s   312 MB    1.0 s     here",
        "draining",
        "90.0 s  app:send  mail on crow  30%",
        "3 × app:send  5.0 s ago  ValueError: no address",
        "q quit",
    ):
        assert words in shown, shown


@pytest.mark.parametrize("view", ["home", "queue", "worker", "task", "help"])
def test_a_frame_has_the_size_of_the_terminal(model: Model, view: str) -> None:
    many = look(queues=[queue(f"queue-{number}", ready=10**9) for number in range(50)])
    model = replace(looked(model, many), views=(View("home"), View(view, "queue-1")))
    for width, height in itertools.product((20, 40, 80, 81, 200), (5, 8, 24, 60)):
        lines = draw(model, width, height, NOW)
        assert len(lines) == max(height, 8), (width, height)
        assert max(line.cell_len for line in lines) <= max(width, 40), (width, height)


def test_the_line_of_the_cursor_stands_out_and_is_always_there(model: Model) -> None:
    model = looked(model, look(queues=[queue(f"queue-{number:02}") for number in range(50)]))
    for _ in range(37):
        model, _ = press(model, "down")
    [chosen] = [
        line for line in draw(model, 80, 24, NOW) if any(span.style == "reverse" for span in line.spans)
    ]
    assert chosen.plain.startswith("queue-37")


def test_no_escape_sequence_of_a_tasks_making_reaches_the_terminal(model: Model) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    hostile = look(
        queues=[queue(f"q{evil}")],
        workers=[worker(evil, "cc" * 16)],
        failing=[failing(f"m:{evil}", 9, error=f"E: {evil}\n{evil}")],
    )
    shown = text(looked(model, hostile))
    assert not [one for one in shown if not one.isprintable() and one != "\n"]
    task = {**a_task(), "result": Failure("E", evil, f"  {evil}").encode(), "name": evil}
    model = replace(model, views=(*model.views, View("task", ID.hex())))
    assert not [
        one for one in text(detailed(model, model.view, task)) if not one.isprintable() and one != "\n"
    ]


def test_an_empty_master_says_what_to_do() -> None:
    shown = text(looked(Model(), look(queues=[], workers=[], running=[], failing=[], rate=0.0)))
    assert "none yet; submit a task" in shown
    assert "none; start one: tq-worker --connect … MODULE" in shown
    assert "idle" in shown


def test_a_master_that_is_away_is_reported_on_top_and_what_was_seen_stays(model: Model) -> None:
    shown = text(lost(model, NOW - 12))
    assert "the master does not answer; reconnecting, for 12.0 s now" in shown.splitlines()[0]
    assert "crow" in shown
    assert "waiting for the master" in text(Model())


def test_a_question_and_a_message_stand_in_the_last_line(model: Model) -> None:
    asking = replace(model, question=Confirmation("pause queue img?", Effect("pause", "img")))
    assert text(asking).splitlines()[-1] == " pause queue img?  y / n"
    assert text(replace(model, message="img is paused")).splitlines()[-1] == " img is paused "


def a_task() -> dict[str, Any]:
    attempt = {
        "attempt": 1,
        "outcome": int(OutcomeNumber.ERROR),
        "worker": "crow",
        "started": NOW - 9,
        "ended": NOW - 8,
    }
    return {
        "id": ID,
        "name": "app:send",
        "queue": "mail",
        "state": int(StateNumber.FAILED),
        "priority": 0,
        "attempt": 1,
        "created": NOW - 10,
        "why": "",
        "result": Failure("ValueError", "no address", "Traceback:\n  File x\n\tboom").encode(),
        "attempts": [{**attempt, "log": "sending …\n"}],
    }


def test_a_task_shows_its_attempts_traceback_and_output_and_scrolls(model: Model) -> None:
    model = replace(model, views=(*model.views, View("task", ID.hex())))
    model = detailed(model, model.view, a_task())
    shown = text(model)
    for words in ("failed", "attempt 1: error 1.0 s on crow", "ValueError: no address", "boom", "sending …"):
        assert words in shown, shown
    assert text(replace(model, row=99), height=8) != text(model, height=8)
    assert "sending …" in text(replace(model, row=99), height=8)


def test_a_task_that_is_gone_says_so(model: Model) -> None:
    model = replace(model, views=(*model.views, View("task", ID.hex())))
    assert "no task has the id" in text(detailed(model, model.view, {"error": "no task has the id 1"}))


def test_a_queue_and_a_worker_show_their_tasks(model: Model) -> None:
    row = {
        "id": ID,
        "short": "0101",
        "state": int(StateNumber.READY),
        "created": NOW - 60,
        "name": "app:send",
    }
    opened, _ = press(press(model, "down")[0], "enter")
    shown = text(detailed(opened, opened.view, {"rows": [row]}))
    assert "queue mail  5 ready  3 failed  1 dead  40/s  paused" in shown
    assert "ready        60.0 s  app:send" in shown
    opened, _ = press(press(model, "tab")[0], "enter")
    held = [[ID, "app:send", "mail", 2, NOW - 3, True], [b"\x02" * 16, "app:send", "mail", 1, NOW - 1, False]]
    shown = text(detailed(opened, opened.view, held))
    assert "worker crow (pid 7)" in shown
    assert "3.0 s  app:send  mail, attempt 2" in shown
    assert "mail  waits its turn there" in shown


# parts


@pytest.mark.parametrize(
    ("wanted", "room", "given"),
    [
        ([1, 1, 1, 1], 20, [1, 1, 1, 1]),
        ([50, 1, 1, 1], 10, [7, 1, 1, 1]),
        ([50, 50, 50, 50], 12, [3, 3, 3, 3]),
        ([50, 3, 0, 1], 4, [2, 1, 0, 1]),
        ([5, 5, 5, 5], 0, [0, 0, 0, 0]),
        ([5, 5, 5, 5], -3, [0, 0, 0, 0]),
    ],
)
def test_rows_are_shared_fairly(wanted: list[int], room: int, given: list[int]) -> None:
    got = shares(wanted, room)
    assert sum(got) <= max(room, 0)
    assert sorted(got) == sorted(given)


def test_an_array_of_a_queue_is_one_line_that_leads_to_its_tasks(model: Model) -> None:
    states = [[int(StateNumber.READY), 190], [int(StateNumber.FAILED), 10]]
    array = {"id": ID, "tasks": 200, "states": states, "digits": 12, "created": NOW - 60, "name": "app:send"}
    opened, _ = press(press(model, "down")[0], "enter")
    opened = detailed(opened, opened.view, {"rows": [array]})
    assert re.search(r"01010101-0101 +200 +60.0 s  app:send  190 ready, 10 failed", text(opened))
    within, _ = press(opened, "enter")
    assert within.view == View("array", f"{ID.hex()}+200", "01010101-0101")
    failed = {
        "id": id_behind(ID, 150),
        "state": int(StateNumber.FAILED),
        "created": NOW - 60,
        "name": "app:send",
        "error": "E: no",
    }
    within = detailed(within, within.view, {"rows": [failed]})
    assert "array 01010101-0101  200 tasks" in text(within)
    assert re.search(r"\+150 +failed +60.0 s  app:send  E: no", text(within))
    assert press(within, "enter")[0].view == View("task", id_behind(ID, 150).hex())


@pytest.mark.parametrize(
    ("rows", "chosen", "room", "shown"),
    [
        (3, None, 5, [0, 1, 2]),
        (9, None, 3, [0, 1, 2]),
        (9, 8, 3, [6, 7, 8]),
        (9, 4, 3, [3, 4, 5]),
        (9, 4, 0, []),
    ],
)
def test_a_window_holds_the_chosen_row(rows: int, chosen: int | None, room: int, shown: list[int]) -> None:
    assert list(window(rows, chosen, room)) == shown


def test_sparklines_and_bars() -> None:
    assert sparkline((0.0, 0.5, 1.0), 10) == "▁▅█"
    assert sparkline((0.0, 0.0), 10) == "▁▁"
    assert sparkline((), 10) == ""
    assert sparkline((1.0, 2.0, 4.0), 2) == "▅█"
    assert [bar(part, 8, 4) for part in (0, 1, 8)] == ["░░░░", "█░░░", "████"]
    assert bar(3, 0, 4) == "░░░░"


@pytest.mark.parametrize(
    ("data", "pressed"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA", ["up"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[C\x1b", ["right", "escape"]),
        (b"\r\t?", ["enter", "tab", "?"]),
        (b"\x1b[15~j", ["j"]),
        (b"\x1b[1;5Aj", ["j"]),
        (b"\x1b[", []),
        (b"\x00\xff\xc3\xa9", []),
    ],
)
def test_bytes_are_keys(data: bytes, pressed: list[str]) -> None:
    assert keys(data) == pressed


def test_absent_workers_are_a_number_in_the_title_and_no_rows() -> None:
    gone = [worker(f"gone{number}", f"{number:02}" * 16, state="absent") for number in range(30)]
    model = looked(Model(), look(workers=[*gone, worker("crow", "aa" * 16)]))
    shown = text(model)
    assert "WORKERS 1 (30 absent)" in shown
    assert "gone" not in shown
    assert [row["host"] for row in (model.snapshot or {})["workers"]] == ["crow"]
