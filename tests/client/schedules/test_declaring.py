"""Schedules in code: what the decorators make of a task, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tq
from tq.common.domain.schedule import DeclaredSchedule
from tq.common.values.codec import decode_call

app = tq.App("tq://127.0.0.1:1", "secret")


@app.cron("0 3 * * *", tz="Europe/Prague", overlap="skip", jitter=30)
@app.task(queue="reports", retries=3)
def nightly() -> str:
    return "done"


@app.every(minutes=5)
@app.cron("0 12 * * MON", name="on-mondays", args=("weekly",), kwargs={"copies": 2})
@app.task
def report(kind: str = "daily", copies: int = 1) -> tuple[str, int]:
    return kind, copies


def declared(task: Any) -> list[DeclaredSchedule]:
    return list(task.__tq_task__.schedules)


def test_a_decorated_task_is_the_task_it_was() -> None:
    assert isinstance(nightly, tq.Task)
    assert nightly() == "done"
    assert report("x") == ("x", 1)


def test_a_rule_in_code_is_a_definition_with_the_options_and_the_queue_of_the_task() -> None:
    [one] = declared(nightly)
    name = nightly.name
    assert one.name == name
    assert one.definition.to_wire() == {
        "task": name,
        "queue": "reports",
        "cron": "0 3 * * *",
        "tz": "Europe/Prague",
        "overlap": "skip",
        "jitter": 30.0,
        "options": {"retries": 3},
        "payload": one.definition.payload,
    }


def test_a_task_has_several_schedules_with_arguments_of_their_own() -> None:
    mondays, often = declared(report)
    assert (mondays.name, often.name) == ("on-mondays", report.name)
    args, kwargs = decode_call(mondays.definition.payload)
    assert (tuple(args), kwargs) == (("weekly",), {"copies": 2})
    assert often.definition.every == 300.0


def make(decorator: Callable[[Any], Any], target: Any = None, **options: Any) -> Any:
    @app.task(**options)
    def task(first: int = 1) -> int:
        return first

    return decorator(task if target is None else target)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: app.cron("61 * * * *"), "the minute is '61'; allowed are 0 to 59"),
        (lambda: app.cron("0 3 * * *", tz="Europe/Prag"), "did you mean Europe/Prague"),
        (lambda: app.cron("0 3 * * *", misfire="never"), "misfire='never' is unknown"),
        (lambda: app.cron(5), "a cron rule is text"),  # type: ignore[arg-type]
        (lambda: app.every(), "every=0.0: an interval is a number of seconds from 1"),
        (lambda: app.every(minutes="5"), "write numbers, as in minutes=5"),  # type: ignore[arg-type]
        (lambda: app.every(seconds=float("nan")), "write numbers"),
        (lambda: app.every(seconds=5, overlap="never"), "overlap='never' is unknown"),
        (lambda: app.every(seconds=5, jitter=timedelta(days=3)), "jitter=259200.0 is out of range"),
        (lambda: make(app.every(seconds=5), lambda: 1), "stands above @app.task, and"),
        (lambda: make(app.every(seconds=5), at=1e9), "at= names one moment"),
        (
            lambda: make(app.every(seconds=5), make(app.every(seconds=7))),
            "has a schedule without a name already",
        ),
        (lambda: make(app.every(seconds=5, args=(tq.Blob.of(b"x" * 9),))), "a tq.Blob is kept as long as"),
        (lambda: make(app.every(seconds=5, args=("x" * 70_000,))), "may have 64 KiB"),
    ],
)
def test_a_mistake_is_an_error_at_its_line(wrong: Callable[[], Any], words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        wrong()


def test_arguments_that_do_not_fit_the_function_are_refused_at_its_line() -> None:
    with pytest.raises(TypeError, match="too many positional arguments"):
        make(app.every(seconds=5, args=(1, 2)))
