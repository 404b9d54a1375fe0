"""Tables on terminals of different width."""

from __future__ import annotations

import json
import re

import pytest
from tq.client.cli.bulk import SPARE_COLUMNS, TASK_COLUMNS
from tq.client.cli.output import plain, print_table, shown

ID = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
ROW = (ID, "succeeded", "jobs:square", "default", 1, "1.6 s")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_table(TASK_COLUMNS, [ROW], empty="", spare=SPARE_COLUMNS)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(120, "id state task queue attempt age"), (80, "id state task attempt age"), (70, "id state task age")],
)
def test_a_narrow_terminal_sees_fewer_columns_and_one_line_a_task(
    columns: int, shown: str, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", str(columns))
    terminal.setenv("LINES", "24")
    head, _, *rows = printed(capsys)
    assert head.split() == shown.split()
    assert len(rows) == 1
    assert len(rows[0]) <= columns
    assert "jobs:square" in rows[0]


def test_a_pipe_gets_every_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    head, _, row = printed(capsys)
    assert head.split() == ["id", "state", "task", "queue", "attempt", "age"]
    assert "default" in row


class Unshowable:
    def __repr__(self) -> str:
        raise OSError("no")


def test_a_value_that_cannot_be_written_out_is_named_and_keeps_nothing_else_from_being_shown() -> None:
    assert shown([1, "x"]) == "[1, 'x']"
    assert shown(10**5_000).startswith("<a int that cannot be written out: Exceeds the limit")
    assert shown(Unshowable()) == "<a Unshowable that cannot be written out: no>"
    assert plain({10**5_000: [-(10**5_000)]}) == {hex(10**5_000): [hex(-(10**5_000))]}
    assert json.loads(json.dumps(plain([10**4_000]))) == [10**4_000]
