"""tq workers --ran: what workers ran."""

from __future__ import annotations

import json

import pytest
from tq.client.cli.ran import Ran, outcome_of, print_ran
from tq.common.contract.workers import RanRow
from tq.common.domain.model import OutcomeNumber

ID = bytes(15) + b"\x07"
ENDED = RanRow("aabbccdd00", "crow", ID, "m:f", "q", 2, int(OutcomeNumber.ERROR), 10.0, 12.5, 1, 2.5)
RUNS = ENDED._replace(outcome=None, ended=None, tasks=3)


def test_what_runs_has_no_outcome_yet() -> None:
    assert [outcome_of(ENDED), outcome_of(RUNS)] == ["error", "running"]


def test_a_row_says_who_ran_what_how_and_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    print_ran(Ran([ENDED], 0, 20, 20, True), as_json=False)
    out = capsys.readouterr().out
    for word in ("crow aabbccdd", "error", "2.5 s", "m:f", "00000000-0000-0000-0000-000000000007"):
        assert word in out


def test_programs_read_names_and_times_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_ran(Ran([ENDED], 0, 20, 20, True), as_json=True)
    [row] = json.loads(capsys.readouterr().out)
    assert (row["outcome"], row["ended"][:10], row["tasks"]) == ("error", "1970-01-01", 1)


def test_a_sample_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_ran(Ran([ENDED], 0, 20, 20, False), as_json=True)
    said = capsys.readouterr()
    assert "there were more" in said.err
    json.loads(said.out)
