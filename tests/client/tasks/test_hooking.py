"""What an App gives to workers with its tasks, and what it leaves of the functions."""

from __future__ import annotations

import pytest
import tq
from tq.common.domain.callables import offered
from tq.common.domain.hooks import AFTER, BEFORE, CHILD_START, CHILD_STOP


def start() -> None: ...


def before(ctx: tq.Context) -> None: ...


def after(ctx: tq.Context, ended: tq.Ended) -> None: ...


def job() -> None: ...


def test_the_functions_go_with_each_task_of_the_app_also_those_that_come_later() -> None:
    app = tq.App()
    task = app.task(job)
    assert app.on_child_start(start) is start
    assert app.on_child_stop(start) is start
    assert app.before(before) is before
    assert app.after(after) is after
    [served] = offered({"job": task})
    assert served.hooks is not None
    kinds = {CHILD_START: start, CHILD_STOP: start, BEFORE: before, AFTER: after}
    assert {kind: [one.function for one in served.hooks.of(kind)] for kind in kinds} == {
        kind: [function] for kind, function in kinds.items()
    }


def test_another_app_has_its_own() -> None:
    app, other = tq.App(), tq.App()
    app.before(before)
    [served] = offered({"job": other.task(job)})
    assert served.hooks is not None
    assert not served.hooks.has_around_tasks


def test_a_lambda_is_refused_where_it_is_written() -> None:
    with pytest.raises(tq.InvalidArgument, match=r"write @app\.before over def"):
        tq.App().before(lambda ctx: None)
