"""What travels of tasks that the master makes itself: their terms are computed when they are declared."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.schedules.schedules import scheduled
from tq.client.tasks.made_by_master import A_CALLBACK, called_back
from tq.client.tasks.submission import lane_columns

ALL = tq.Limit("all", max_running=3)
PER_HOST = tq.Limit("hosts", max_running=1, by="{host}")


@pytest.fixture
def app() -> tq.App:
    return tq.App("tq://127.0.0.1:1", "secret")


def fetch(host: str, path: str = "/") -> None: ...
def complain(failed: dict, level: str = "page") -> None: ...  # type: ignore[type-arg]
def keyword_only(*, failed: dict) -> None: ...  # type: ignore[type-arg]
def two(failed: dict, who: str) -> None: ...  # type: ignore[type-arg]


def columns(task: Any, *args: Any, **kwargs: Any) -> Any:
    return scheduled(task, {"every": 60.0}, args, kwargs).get("columns")


def test_the_keys_of_a_schedules_limits_are_those_of_its_arguments(app: tq.App) -> None:
    limited = app.task(limits=[ALL, PER_HOST], tenant="{path}")(fetch)
    said = {"limits": [[ALL.terms().to_wire(), ""], [PER_HOST.terms().to_wire(), "a.example"]], "tenant": "/"}
    assert columns(limited, "a.example") == said
    assert columns(limited, host="a.example") == said
    assert columns(app.task(fetch), "a.example") is None


def test_a_callback_has_limits_that_do_not_name_what_it_is_given(app: tq.App) -> None:
    paging = app.task(limits=[tq.Limit("levels", max_running=1, by="{level}"), ALL])(complain)
    said = lane_columns(called_back(paging.made_by(A_CALLBACK)))
    assert [column.texts for _, column in said.limits] == [("page",), ("",)]
    other = paging.using(limits=[tq.Limit("x", max_running=1, by="{failed}")])
    with pytest.raises(
        tq.InvalidArgument,
        match=r"by='{failed}': {failed} of a callback of a flow is not known before it is made",
    ):
        called_back(other.made_by(A_CALLBACK))


def test_a_handler_travels_with_its_queue_options_and_limits(app: tq.App) -> None:
    handler = app.task(queue="alarms", priority=7, limits=[ALL])(complain)
    task = app.task(on_failure=handler)(fetch)
    said = {"on_failure": ["alarms", handler.name, {"priority": 7}, {"limits": [[ALL.to_wire(), ""]]}]}
    assert task._choice.columns is not None
    assert task._choice.columns.to_wire() == said
    assert columns(task, "a.example") == said
    assert task.using(on_failure=None)._choice.wire == {}
    assert columns(task.using(on_failure=None), "a.example") is None
    per_host = task.using(limits=[PER_HOST])
    assert columns(per_host, "h")["on_failure"] == said["on_failure"]


def test_a_handler_has_no_handler_itself(app: tq.App) -> None:
    last = app.task(complain)
    handler = app.task(on_failure=last)(complain)
    assert handler.failure_handler().columns.on_failure is None


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (print, r"on_failure=<.*print.*> is not a task: a worker runs it; give what @app.task has made"),
        ("m:f", "on_failure='m:f' is not a task"),
    ],
)
def test_what_is_no_task_handles_nothing(app: tq.App, handler: Any, why: str) -> None:
    for write in (lambda: app.task(on_failure=handler), lambda: app.task(fetch).using(on_failure=handler)):
        with pytest.raises(tq.InvalidArgument, match=why):
            write()


@pytest.mark.parametrize("function", [keyword_only, two])
def test_a_handler_is_called_with_one_argument(app: tq.App, function: Any) -> None:
    with pytest.raises(
        tq.InvalidArgument, match="cannot be on_failure: it is called with one argument, a dict"
    ):
        app.task(on_failure=app.task(function))


@pytest.mark.parametrize("name", ["key", "unique", "after"])
def test_what_is_of_a_submit_alone_is_refused(app: tq.App, name: str) -> None:
    given: dict[str, Any] = {"key": "k", "unique": tq.Unique(), "after": tq.Handle(app.session, b"t" * 16)}
    variant = app.task(complain).using(**{name: given[name]})
    with pytest.raises(tq.InvalidArgument, match=f"{name}=… is of a submit"):
        app.task(on_failure=variant)
    with pytest.raises(tq.InvalidArgument, match=f"{name}=… is of a submit"):
        columns(variant, {})
