"""Tables on terminals of different width."""

from __future__ import annotations

import json
import re

import pytest
from tq.client.cli.bulk import SPARE_COLUMNS, TASK_COLUMNS
from tq.client.cli.output import plain, print_table, shown, size, with_moments
from tq.common.domain.model import State
from tq.common.values.blob import Blob

COLUMNS = [name for name in TASK_COLUMNS if name != "tags"]
ID = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
ROW = (ID, "succeeded", "jobs:square", "default", 1, "1.6 s")
ERROR = "ValueError: the picture at https://example.org/pictures/of/a/cat.png has no pixels"
FAILED_ROW = (ID, "failed", "jobs:square", "default", 1, "1.6 s", ERROR)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_table(COLUMNS[:-1], [ROW], empty="", spare=SPARE_COLUMNS[:-1])
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


def test_an_error_is_cut_to_what_the_terminal_leaves_and_is_whole_in_a_pipe(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", "80")
    print_table(COLUMNS, [FAILED_ROW], empty="", spare=SPARE_COLUMNS)
    head, _, *rows = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert (head.split()[-1], len(rows)) == ("error", 1)
    assert len(rows[0]) <= 80
    assert "ValueError: the" in rows[0]
    terminal.delenv("FORCE_COLOR")
    print_table(COLUMNS, [FAILED_ROW], empty="", spare=SPARE_COLUMNS)
    assert ERROR in capsys.readouterr().out


def test_a_pipe_gets_every_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    head, _, row = printed(capsys)
    assert head.split() == ["id", "state", "task", "queue", "attempt", "age"]
    assert "default" in row


def test_a_long_value_is_not_folded_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_table(("name", "text"), [("x", "a" * 500)], empty="")
    assert "a" * 500 in capsys.readouterr().out


def test_a_pipe_gets_the_same_columns_as_a_terminal_that_is_wide_enough(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ("x", 12, State.DEAD, "日本語"),
        (None, 1_234, State.READY, "e\u0301 \x1b[2J"),
        ("tail", None, "", None),
    ]
    seen = []
    for pipe in (False, True):
        if pipe:
            terminal.delenv("FORCE_COLOR")
        terminal.setenv("COLUMNS", "100")
        print_table(("name", "#count", "state", "words"), rows, empty="")
        text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        seen.append([line.rstrip() for line in text.splitlines()])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 5


class Unshowable:
    def __repr__(self) -> str:
        raise OSError("no")


def test_a_value_that_cannot_be_written_out_is_named_and_keeps_nothing_else_from_being_shown() -> None:
    assert shown([1, "x"]) == "[1, 'x']"
    assert shown(10**5_000).startswith("<a int that cannot be written out: Exceeds the limit")
    assert shown(Unshowable()) == "<a Unshowable that cannot be written out: no>"
    assert plain({10**5_000: [-(10**5_000)]}) == {hex(10**5_000): [hex(-(10**5_000))]}
    assert json.loads(json.dumps(plain([10**4_000]))) == [10**4_000]


def test_a_value_in_the_terms_of_json_names_a_blob_by_its_hash() -> None:
    value = {"a": [b"\xff", (1, None), {2}], 3: True, b"k": "v", "blob": Blob.of(b"x")}
    blob = {"blob": Blob.of(b"x").hash, "size": 1}
    assert plain(value) == {"a": ["ff", [1, None], [2]], "3": True, "6b": "v", "blob": blob}


def test_moments_of_rows_are_of_one_form_at_any_depth() -> None:
    row = {
        "host": "crow",
        "since": 1.5,
        "last_seen": None,
        "running": [{"started": 0}],
        "rate": 2.0,
        "labels": {"at": "home"},
    }
    assert with_moments([row]) == [
        {
            "host": "crow",
            "since": "1970-01-01T00:00:01.500+00:00",
            "last_seen": None,
            "running": [{"started": "1970-01-01T00:00:00.000+00:00"}],
            "rate": 2.0,
            "labels": {"at": "home"},
        }
    ]


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (1_536, "1.5 kB"),
        (10**9, "1 GB"),
        (123_456_789, "123 MB"),
    ],
)
def test_a_size_is_said_also_of_what_is_small(bytes_: int, said: str) -> None:
    assert size(bytes_) == said


def test_what_json_has_as_it_is_stays_the_same_object_and_the_rest_becomes_what_it_has() -> None:
    kept = {"url": "http://tq/", "share": 0.5, "seen": True, "body": None}
    assert plain(kept) is kept
    assert plain({"status": 200, "head": kept}) == {"status": 200, "head": kept}
    assert plain({"at": {1: b"\x01", None: (1 << 20_000,)}}) == {
        "at": {"1": "01", "None": [hex(1 << 20_000)]}
    }
