"""Limits of one name in one App: what two functions say of it is the same, or refused where the second one is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tq


def function(name: str) -> Callable[..., Any]:
    def made(domain: str) -> None: ...

    made.__qualname__ = name
    return made


def test_two_functions_that_say_different_bounds_of_one_limit_are_refused_with_the_line_to_write() -> None:
    app = tq.App()
    app.task(limits=[tq.Limit("smtp", max_running=3)])(function("send"))
    with pytest.raises(tq.InvalidArgument) as refused:
        app.task(limits=[tq.Limit("smtp", max_running=5, rate="1/s")])(function("remind"))
    assert str(refused.value).partition("\n")[0] == (
        "limit 'smtp': max_running=5, rate='1/s' here, and max_running=3 at send: tasks share a limit by its name. Make it once, "
        "smtp = tq.Limit('smtp', …), and write limits=[smtp] for both, or give one of them another name"
    )
    assert not app.has_task(f"{__name__}:remind")


def test_what_is_of_a_task_may_differ_and_so_may_another_app() -> None:
    app = tq.App()
    for name, limit in (
        ("send", tq.Limit("smtp", max_running=3)),
        ("remind", tq.Limit("smtp", max_running=3, by="{domain}", units=2)),
        ("count", tq.Limit("smtp-2", max_running=9)),
    ):
        app.task(limits=[limit])(function(name))
    tq.App().task(limits=[tq.Limit("smtp", max_running=4)])(function("send"))


def test_code_that_is_loaded_again_may_say_something_else() -> None:
    app = tq.App()
    for bound in (3, 5):
        for name in ("send", "remind"):
            app.task(limits=[tq.Limit("smtp", max_running=bound)])(function(name))
    with pytest.raises(tq.InvalidArgument, match="max_running=3 here, and max_running=5 at send"):
        app.task(limits=[tq.Limit("smtp", max_running=3)])(function("another"))
