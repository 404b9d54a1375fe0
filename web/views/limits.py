"""What holds tasks back by the will of people: limits of tasks, strikes, what tenants may have; change them."""

from __future__ import annotations

from typing import Any, Final

from ...client.app import App
from ...client.cli.output import with_moments
from ...client.cli.strikes import for_programs, unseen_arguments
from ...client.cli.tenants import notes_of
from ...client.cli.where import age
from ...common.contract.limits import LIMITS
from ...common.contract.strikes import STRIKES
from ...common.contract.tenants import TENANTS
from ...common.domain.limit_parts import division_in_words
from ...common.domain.strikes import unseen_words
from ...common.errors import Forbidden, InvalidArgument
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

SHOWN: Final = 200  # of each, by name
LIVE_SECONDS: Final = 3.0  # what runs and waits under a limit is not what the watcher sees
ANY: Final = "none"  # typed for: any number


def limits(login: Login, asked: ViewRequest) -> ShownPage:
    of_tasks = listed(login.app, LIMITS.name, "", SHOWN)
    strikes = listed(login.app, STRIKES.name)
    tenants = listed(login.app, TENANTS.name, None, SHOWN)
    return ShownPage(
        title="Limits",
        template="limits.html",
        command="tq limits ls; tq strike ls; tq tenants ls",
        every=LIVE_SECONDS,
        rows=lambda: [
            *({"kind": "limit", **with_moments(row)} for row in of_tasks),
            *({"kind": "strike", **for_programs(row)} for row in strikes),
            *({"kind": "tenant", **with_moments(row)} for row in tenants),
        ],
        context={
            "limits": of_tasks,
            "strikes": strikes,
            # Tasks without a tenant are a line only beside those of others.
            "tenants": tenants if any(row["name"] for row in tenants) else [],
            "shown": SHOWN,
            "divided": division_in_words,
            "notes_of": notes_of,
        },
    )


def listed(app: App, subject: str, *words: Any) -> list[dict[str, Any]]:
    """What the object of a subject lists for this key."""
    try:
        rows: list[dict[str, Any]] = app.call((subject,), "list", *words)
    except Forbidden:  # a key that is bound to queues sees none
        return []
    return rows


def set_limit(login: Login, asked: ViewRequest) -> Done:
    """A field that is empty stays as it is."""
    name = _named(asked, "limit")
    changes: dict[str, Any] = {}
    for field in ("max_running", "burst"):
        if text := asked.get(field):
            changes[field] = _number(field, text)
    if rate := asked.get("rate"):
        changes["rate"] = None if rate == ANY else rate
    if not changes:
        raise InvalidArgument(
            "say what holds from now on: how many at once, a rate such as 100/min, or none for any"
        )
    login.app.call((LIMITS.name,), "set", name, changes)
    return Done(note=f"{name} is changed, for tasks that wait already, too")


def reset_limit(login: Login, asked: ViewRequest) -> Done:
    name = _named(asked, "limit")
    login.app.call((LIMITS.name,), "reset", name)
    return Done(note=f"{name} is again as the code declares it")


def strike(login: Login, asked: ViewRequest) -> Done:
    condition = asked.get("condition")
    if not condition:
        raise InvalidArgument("say which tasks are held back: task=mail:send, queue=img.*, tenant=acme")
    seconds = age(asked.get("for"), "for") if asked.get("for") else None
    unseen = unseen_arguments(login.app, condition)
    login.app.call((STRIKES.name,), "add", condition, asked.get("reason"), seconds)
    warned = f"; {unseen_words(unseen)}" if unseen else ""
    return Done(note=f"{condition} is held back; what runs goes on{warned}")


def lift(login: Login, asked: ViewRequest) -> Done:
    number = _number("strike", asked.get("strike"))
    login.app.call((STRIKES.name,), "remove", number)
    return Done(note=f"strike {number} is removed: what it held back runs")


def set_tenant(login: Login, asked: ViewRequest) -> Done:
    name = _named(asked, "tenant")
    changes = {
        field: _number(field, asked.get(field)) for field in ("weight", "max_running") if asked.get(field)
    }
    if not changes:
        raise InvalidArgument("say what it may have: its weight, or how many of its tasks may run at once")
    login.app.call((TENANTS.name,), "set", name, changes)
    return Done(note=f"{name} is changed, at once and for good")


def reset_tenant(login: Login, asked: ViewRequest) -> Done:
    name = _named(asked, "tenant")
    login.app.call((TENANTS.name,), "remove", name)
    return Done(note=f"{name} has weight 1, and any number of its tasks at once")


def _named(asked: ViewRequest, field: str) -> str:
    if not asked.get(field):
        raise InvalidArgument(f"which {field}? The form names none")
    return asked.get(field)


def _number(field: str, text: str) -> int | None:
    if text == ANY:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument(f"{field.replace('_', ' ')} is a whole number, or none; not {text[:40]!r}")
    return int(text[:18])
