"""``tq schedule``: what it prints, and what it refuses before it asks a master."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from tq.client.cli import main
from tq.client.cli.schedules import _facts, _history_cells, _print_changed, for_programs
from tq.client.schedules.schedule import Occurrence, Schedule
from tq.common.domain.durations import every

MOMENT = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
SCHEDULE = Schedule(
    name="nightly", state="active", why="", task="jobs:report", queue="reports", cron="0 3 * * *", every=None,
    tz="Europe/Prague", misfire="latest", overlap="skip", jitter=30.0, declared=False, edited=(), workers=0,
    differing=0, last=None, next=MOMENT, fired=1_234, key="k",
)  # fmt: skip
RUN = Occurrence(
    instant=MOMENT, first=MOMENT, instants=1, by="time", state="succeeded", task_id="id", seconds=2.0, why=""
)


def tq(*arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["schedule", *arguments], env={"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "x" * 32}
    )


def test_the_next_instants_of_a_rule_are_computed_without_a_master() -> None:
    done = tq("preview", "--cron", "30 2 * * *", "--tz", "Europe/Prague", "--next", "3", "--json")
    moments = [datetime.fromisoformat(text) for text in json.loads(done.output)]
    assert len(moments) == 3
    assert moments[0] > datetime.now(UTC)
    often = json.loads(tq("preview", "--every", "5min", "--next", "2", "--json").output)
    first, second = map(datetime.fromisoformat, often)
    assert second - first == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("preview",), "name a schedule, or give --cron RULE or --every TIME"),
        (("preview", "s", "--every", "5min"), "name a schedule, or give"),
        (("preview", "--cron", "61 * * * *"), "the minute is '61'; allowed are 0 to 59"),
        (("preview", "--cron", "* * * * *", "--tz", "Europe/Prag"), "did you mean Europe/Prague"),
        (("preview", "--every", "5 parsecs"), "write 30s, 10min, 2h or 7d"),
        (("add", "s", "report", "--every", "5min"), "is not a task's name; write 'module:function'"),
        (("add", "s", "m:f"), "a schedule has a rule"),
        (("add", "s", "m:f", "--every", "5min", "--cron", "* * * * *"), "and not both"),
        (("add", "s", "m:f", "--cron", "0 3 * *"), "it has 4 fields and not five"),
        (("add", "s", "m:f", "--every", "5min", "--misfire", "never"), "misfire='never' is unknown"),
        (("add", "s", "m:f", "--every", "5min", "--kw", "size"), "write --kw name=JSON"),
        (("edit", "s"), "nothing to change; name what, as in --every 10min"),
        (("backfill", "s", "--from", "monday", "--to", "2026-03-01"), "--from 'monday': write 2026-03-01"),
        (("list",), "there is no command 'list'; did you mean ls?"),
    ],
)
def test_a_mistake_is_answered_with_its_remedy(arguments: tuple[str, ...], words: str) -> None:
    done = tq(*arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_instants_are_shown_in_the_zone_of_the_schedule() -> None:
    facts = dict(_facts(SCHEDULE))
    assert facts["next"] == "2026-03-29 03:00:00 CEST"
    assert facts["rule"] == "0 3 * * * Europe/Prague; misfire latest, overlap skip, jitter 30.0 s"
    assert facts["made"] == "1,234 tasks, by the rights of the key k"
    assert dict(_facts(replace(SCHEDULE, tz="Mars/Olympus")))["next"] == "2026-03-29 01:00:00 UTC"


def test_what_is_declared_and_edited_is_said() -> None:
    facts = dict(_facts(replace(SCHEDULE, declared=True, workers=3, differing=1, edited=("every", "tz"))))
    assert facts["declared"] == "in the code of 3 connected workers, 1 of them differently"
    assert facts["edited"] == "every, tz; tq schedule edit nightly --reset drops it"


def test_a_row_of_the_history_is_a_task_or_a_reason() -> None:
    assert _history_cells(RUN, "UTC") == ("2026-03-29 01:00:00 UTC", "succeeded", "2.0 s", "time", "id")
    skipped = replace(
        RUN,
        first=MOMENT - timedelta(days=1),
        instants=24,
        state="skipped",
        task_id=None,
        seconds=None,
        why="missed",
    )
    assert _history_cells(skipped, "UTC") == (
        "24 from 2026-03-28 01:00:00 UTC",
        "skipped",
        "",
        "time",
        "missed",
    )


def test_json_has_moments_as_text() -> None:
    shown = for_programs(replace(SCHEDULE, history=[RUN]))
    assert (shown["next"], shown["last"]) == ("2026-03-29T01:00:00+00:00", None)
    assert shown["history"][0]["instant"] == "2026-03-29T01:00:00+00:00"


def test_a_change_is_answered_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    _print_changed(SCHEDULE, as_json=False)
    _print_changed(replace(SCHEDULE, state="paused", why="moving", next=None), as_json=False)
    assert capsys.readouterr().out == (
        "nightly is active and is due next at 2026-03-29 03:00:00 CEST\n"
        "nightly is paused and makes no tasks: moving\n"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.0, "every second"), (60.0, "every minute"), (90.0, "every 90 s"), (0.5, "every 0.5 s"), (3_600.0, "every hour"), (7_200.0, "every 2 h"),
     (86_400.0, "every day"), (90_000.0, "every 25 h"), (5_400.0, "every 90 min")],
)  # fmt: skip
def test_an_interval_is_said_exactly(seconds: float, words: str) -> None:
    assert every(seconds) == words
