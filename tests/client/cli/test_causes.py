"""Causes of failures for people and for programs."""

from __future__ import annotations

import pytest
from tq.client.cli.causes import bars, cause_for_programs, place, print_causes
from tq.common.contract.observe import CauseRow

ROW = CauseRow(
    "mail",
    "jobs:send",
    "smtp.Refused",
    "post, mail.py",
    31,
    "no",
    b"i" * 16,
    3,
    1,
    1.0,
    2.0,
    [0] * 46 + [1, 2],
    {"crow": 3},
    {},
)


def test_a_place_has_its_line_and_may_be_unknown() -> None:
    assert place(ROW) == "post, mail.py:31"
    assert place(ROW._replace(where="", line=0)) == ""


def test_bars_are_as_high_as_the_most_and_few_are_not_nothing() -> None:
    assert bars([0, 1, 100, 50]) == " ▂█▅"
    assert bars([0, 0]) == "  "
    assert bars([]) == ""


def test_programs_get_times_of_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    said = cause_for_programs(ROW)
    assert (said["tasks"], said["first"]) == (3, "1970-01-01T00:00:01.000+00:00")
    print_causes([ROW], as_json=False)
    assert "smtp.Refused" in capsys.readouterr().out
    print_causes([], as_json=False)
    assert capsys.readouterr().out == "nothing has failed\n"
