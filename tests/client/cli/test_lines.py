"""The lines of `tq ls`, from the answers of a master and on a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tq.client.cli import lines as shipped
from tq.client.cli.lines import line_row, newest_lines, print_lines
from tq.common.domain.ids import id_behind, parse_id
from tq.common.domain.model import StateNumber

FIRST = parse_id("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
READY, SUCCEEDED, FAILED = int(StateNumber.READY), int(StateNumber.SUCCEEDED), int(StateNumber.FAILED)
Row = dict[str, Any]


def array(tasks: int = 200_000, states: Any = ((READY, 1_600), (SUCCEEDED, 198_400)), **more: Any) -> Row:
    return {
        "id": FIRST,
        "tasks": tasks,
        "states": [list(one) for one in states],
        "rest": False,
        "digits": 12,
        "name": "jobs:square",
        "queue": "default",
        "created": 0.0,
        "error": None,
        **more,
    }


def task(**more: Any) -> Row:
    return {
        "id": FIRST,
        "short": "019300a1-7c3e..3c2b",
        "state": SUCCEEDED,
        "name": "jobs:greet",
        "queue": "default",
        "attempt": 1,
        "created": 0.0,
        "due": None,
        "started": None,
        "finished": None,
        "error": None,
        **more,
    }


class Answers:
    def __init__(self, *answers: tuple[list[Row], Any]) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def call(
        self,
        target: Any,
        method: str,
        wanted: Any,
        limit: int,
        before: Any,
        short: bool,
        flows: bool = False,
        timeout: Any = None,
    ) -> Any:
        assert flows is (not wanted), "flows are lines where all tasks are listed"
        self.asked.append((limit, before))
        rows, goes_on = self.answers.pop(0)
        return {"rows": rows, "before": goes_on}


def newest(*answers: tuple[list[Row], Any], limit: int = 30) -> list[Row]:
    return newest_lines(Answers(*answers), {}, limit)  # type: ignore[arg-type]


def test_the_parts_of_a_line_are_joined() -> None:
    rows = newest(
        ([task(), array(150, [(FAILED, 150)])], [7, b"x"]),
        ([array(40, [(READY, 40)], rest=True)], [7, b"y"]),
        ([array(10, [(READY, 9), (FAILED, 1)], rest=True, id=b"z", error="E: x"), task()], None),
    )
    assert [row.get("tasks") for row in rows] == [None, 200, None]
    line = rows[1]
    assert (line["id"], line["states"], line["error"]) == (b"z", [(READY, 49), (FAILED, 151)], "E: x")


def test_a_line_of_which_nothing_matches_is_left_out_when_all_of_it_is_known() -> None:
    rows = newest(([array(150, [])], [7, b"x"]), ([array(10, [], rest=True), task()], None))
    assert [row.get("tasks") for row in rows] == [None]


def test_no_more_lines_are_asked_for_than_are_shown() -> None:
    answers = Answers(([task(), task()], [9, None]), ([task()], [3, None]))
    assert len(newest_lines(answers, {}, 3)) == 3  # type: ignore[arg-type]
    assert answers.asked == [(3, None), (1, [9, None])]


def test_a_line_that_takes_too_long_says_at_least_how_many() -> None:
    first = ([array(10, [(READY, 10)])], [7, b"x"])
    rests = [([array(10, [(READY, 10)], rest=True)], [7, b"x"])] * (shipped.ANSWERS_MAX - 1)
    answers = Answers(first, *rests, ([task()], None))
    rows = newest_lines(answers, {}, 30)  # type: ignore[arg-type]
    assert answers.asked[-1] == (29, [7, None])
    tasks = 10 * shipped.ANSWERS_MAX
    assert (rows[0]["tasks"], rows[0]["states"], line_row(rows[0])["complete"]) == (
        tasks,
        [(READY, tasks)],
        False,
    )


def test_lines_without_short_ids_are_joined_too() -> None:
    first, rest = array(10, [(READY, 10)]), array(10, [(READY, 10)], rest=True)
    del first["digits"], rest["digits"]
    assert [row["tasks"] for row in newest(([first], [7, b"x"]), ([rest], None))] == [20]


def test_json_has_both_forms() -> None:
    row = line_row(array())
    fields = ["id", "first", "tasks", "states", "complete", "name", "queue", "created", "tags", "error"]
    assert list(row) == fields
    assert row["id"] == "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b+0..199999"
    assert row["states"] == {"ready": 1_600, "succeeded": 198_400}
    alone = line_row(task())
    assert (alone["id"], alone["state"]) == ("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b", "succeeded")
    assert "short" not in alone


FLOW: Row = {
    "id": "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2c",
    "name": "nightly",
    "state": "running",
    "run": 1,
    "total": 1_200,
    "succeeded": 38,
    "failed": 2,
    "cancelled": 0,
    "running": 5,
    "created": 0.0,
    "finished": None,
}


def test_a_flow_is_a_line_with_its_state_and_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    row: Row = {"id": parse_id(FLOW["id"]), "short": "019300a1-7c3e", "created": 60.0, "flow": FLOW}
    print_lines([row, task()], empty="")
    line = capsys.readouterr().out.splitlines()[2]
    assert line.startswith(f"{FLOW['id']}  running: 40 of 1,200 ended, 5 running, 2 failed  flow nightly ")
    found = line_row(row)
    assert list(found) == ["id", "flow", "created"]
    assert (found["id"], found["flow"]["total"], found["flow"]["finished"]) == (FLOW["id"], 1_200, None)
    assert found["created"] == "1970-01-01T00:01:00.000+00:00"
    assert shipped.tasks_of(row) == 1_200


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(shipped, "ago", lambda seconds: "3 min")
    return monkeypatch


def printed(rows: list[Row], columns: int, terminal: pytest.MonkeyPatch, capsys: Any) -> list[str]:
    terminal.setenv("COLUMNS", str(columns))
    print_lines(rows, empty="")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert all(len(line) <= columns for line in lines)
    return [line.rstrip() for line in lines]


def test_a_wide_terminal_has_the_states_of_an_array_side_by_side(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head, _, line, alone = printed([array(), task()], 120, terminal, capsys)
    assert head.split() == ["id", "state", "task", "queue", "attempt", "age"]
    assert line.split()[:7] == [
        "019300a1-7c3e",
        "1,600",
        "ready,",
        "198,400",
        "succeeded",
        "jobs:square",
        "default",
    ]
    assert alone.split()[:2] == ["019300a1-7c3e..3c2b", "succeeded"]


def test_a_narrow_terminal_has_them_one_below_the_other_beside_the_error(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = "ValueError: the picture at https://example.org/pictures/of/a/cat.png has no pixels"
    rows = [array(error=error, states=[(READY, 1_600), (SUCCEEDED, 198_380), (FAILED, 20)]), task()]
    head, _, *lines = printed(rows, 80, terminal, capsys)
    assert head.split() == ["id", "state", "task", "error"]
    assert [line[21:].strip().split("  ")[0] for line in lines] == [
        "1,600 ready",
        "198,380 succeeded",
        "20 failed",
        "succeeded",
    ]
    assert "jobs:square" in lines[0]
    assert lines[0].endswith("…")


def test_what_is_only_a_part_of_an_array_says_of_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([array(states=[(FAILED, 3)]), array(states=[(FAILED, 3)], more=True)], empty="")
    lines = capsys.readouterr().out.splitlines()
    assert "  3 failed of 200,000  " in lines[2]
    assert "  at least 3 failed  " in lines[3]


def test_a_pipe_has_whole_ids(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([array(), task(id=id_behind(FIRST, 200_000))], empty="")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b+0..199999 ")
    assert lines[3].startswith("019300a1-7c3e-7b40-8c1d-2f6a5e50496b ")


def test_where_nothing_fits_texts_are_folded_and_ids_and_states_are_whole(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [array(error="ConnectionError: no route to the warehouse"), task(name="a.module.with.a.long:name")]
    head, _, *lines = printed(rows, 60, terminal, capsys)
    assert head.split() == ["id", "state", "task", "error"]
    states = [line[21:].lstrip().partition("  ")[0] for line in lines]
    assert set(states) >= {"1,600 ready", "198,400 succeeded", "succeeded"}
    assert any("Connecti" in line for line in lines)


def test_a_reader_stops_after_its_time_and_says_where_to_go_on() -> None:
    app: Any = Answers(([], [700, None]), ([task()], [400, None]))
    reader = shipped.LineReader(app, {}, flows=True)
    assert reader.read(50, seconds=0.0) == []
    assert reader.before == [700, None]
    assert len(reader.read(50, seconds=0.0)) == 1
    assert app.asked == [(50, None), (50, [700, None])]
