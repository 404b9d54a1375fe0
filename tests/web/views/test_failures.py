"""Causes of failures as rows of the page."""

from __future__ import annotations

from tq.client.cli.where import split, to_filter
from tq.common.contract.observe import CauseRow
from tq.web.views.failures import filter_of

ROW = CauseRow(
    "mail [eu]",
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
    [0, 3],
    {"crow": 3},
    {},
)


def test_the_filter_of_a_cause_means_its_tasks_whatever_characters_their_names_have() -> None:
    assert to_filter(split(filter_of(ROW)), 0.0) == {
        "states": to_filter(split("state=failed,dead,lost"), 0.0)["states"],
        "names": ["jobs:send"],
        "queues": ["mail [[]eu]"],
        "errors": ["smtp.Refused"],
    }


def test_a_death_without_an_error_is_asked_for_by_its_callable_and_queue() -> None:
    assert "error" not in filter_of(ROW._replace(kind="(crash)"))
