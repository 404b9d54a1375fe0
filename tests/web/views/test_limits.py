"""What a form of a limit, a strike or a tenant may say."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.web.page import Done, ViewRequest
from tq.web.views.limits import set_limit, set_tenant, strike


def done(action: Callable[[Any, ViewRequest], Done], **form: str) -> list[Any]:
    """What the master is asked."""
    asked: list[Any] = []
    login: Any = SimpleNamespace(app=SimpleNamespace(call=lambda target, *words: asked.extend(words)))
    action(login, ViewRequest(path={}, query=form))
    return asked


def test_an_empty_field_stays_as_it_is_and_none_is_any_number() -> None:
    assert done(set_limit, limit="smtp", max_running="none", rate="", burst="5") == [
        "set", "smtp", {"max_running": None, "burst": 5}
    ]  # fmt: skip
    assert done(set_tenant, tenant="acme", weight="3", max_running="") == ["set", "acme", {"weight": 3}]


def test_a_strike_lasts_as_long_as_is_said_or_until_it_is_removed() -> None:
    check = ["check", "queue=a"]
    assert done(strike, condition="queue=a", reason="x") == [*check, "add", "queue=a", "x", None]
    assert done(strike, condition="queue=a", **{"for": "2h"}) == [*check, "add", "queue=a", "", 7200.0]


def test_who_holds_back_by_an_argument_that_no_task_has_reads_the_line_to_write() -> None:
    found = {"to": True, "domain": False}
    login: Any = SimpleNamespace(app=SimpleNamespace(call=lambda target, method, *more: found))
    note = strike(login, ViewRequest(path={}, query={"condition": "task=m:f arg.to=a arg.domain=b"})).note
    assert "none of the newest tasks is found by domain" in note
    assert "@app.task(index=['domain'])" in note
    found["domain"] = True
    assert "index" not in strike(login, ViewRequest(path={}, query={"condition": "arg.domain=b"})).note


@pytest.mark.parametrize(
    ("action", "form"),
    [
        (set_limit, {"limit": "smtp"}),
        (set_limit, {"max_running": "3"}),
        (set_limit, {"limit": "smtp", "max_running": "-3"}),
        (set_tenant, {"tenant": "acme", "weight": "many"}),
        (strike, {"condition": ""}),
        (strike, {"condition": "queue=a", "for": "soon"}),
    ],
)
def test_what_cannot_be_is_refused_before_the_master_is_asked(action: Any, form: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument):
        done(action, **form)
