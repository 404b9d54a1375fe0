"""Schedules: what is due when, and what became of it; pause, resume, run one now."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict
from typing import Any, Final

from ...client.cli.lately import lately_of, read
from ...client.cli.schedules import for_programs, rule_in_words, with_lately
from ...client.cli.where import age
from ...client.schedules.schedule import Schedule
from ...common.domain.recurrence import cron
from ...common.errors import InvalidArgument
from ..cron_words import cron_in_words
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

LIVE_SECONDS: Final = 5.0  # the watcher does not see them
LATELY_SECONDS: Final = 5.0  # their histories are asked for so often, however many tabs are open
RULE: Final = ("cron", "every", "tz", "misfire", "overlap", "jitter")
HISTORY: Final = 20
PREVIEWED: Final = 10  # moments of a cron text that is tried
COMING: Final = 20  # of a schedule, as many as its last ones


def schedules(login: Login, asked: ViewRequest) -> ShownPage:
    found = login.app.schedules.list()
    past = login.recent("lately", LATELY_SECONDS, lambda: read(login.app, found))
    text, zone = asked.get("cron"), asked.get("tz") or "UTC"
    previewed, error = None, ""
    try:
        previewed = preview(text, zone, time.time()) if text else None
    except InvalidArgument as problem:  # what is wrong with the rule is said beside it
        error = str(problem)
    return ShownPage(
        title="Schedules",
        template="schedules.html",
        command="tq schedule ls",
        rows=lambda: [with_lately(one, past.get(one.name)) for one in found],
        every=LIVE_SECONDS,
        head="schedules.head.html",
        context={
            "schedules": [{**_shown(one), "past": past.get(one.name)} for one in found],
            "cron": text,
            "tz": zone,
            "previewed": previewed,
            "error": error,
        },
    )


def preview(text: str, zone: str, now: float) -> tuple[str, list[float]]:
    """What a cron text means: in words, and its next moments, Unix seconds. Raises InvalidArgument."""
    rule = cron(text, zone)
    moments: list[int] = []
    after: int | None = int(now * 1000)
    while len(moments) < PREVIEWED and after is not None and (after := rule.after(after)) is not None:
        moments.append(after)
    return cron_in_words(rule.text), [moment / 1000 for moment in moments]


def schedule(login: Login, asked: ViewRequest) -> ShownPage:
    name = _name(asked)
    found = login.app.schedules.show(name, HISTORY)
    coming = login.app.schedules.preview(name, COMING)
    return ShownPage(
        title=f"Schedule {name}",
        template="schedule.html",
        command=shlex.join(["tq", "schedule", "show", name]),
        rows=lambda: for_programs(found)["history"],
        context={
            "one": _shown(found),
            "past": lately_of(found.history),
            "fields": rule_fields(found),
            "changed": ", ".join(found.edited),
            "coming": [moment.timestamp() for moment in coming],
            "history": [{**asdict(one), "instant": one.instant.timestamp()} for one in found.history],
        },
    )


def pause(login: Login, asked: ViewRequest) -> Done:
    login.app.schedules.pause(_name(asked), asked.get("reason"))
    return Done(note=f"{_name(asked)} is paused: it makes no tasks until it is resumed")


def resume(login: Login, asked: ViewRequest) -> Done:
    login.app.schedules.resume(_name(asked))
    return Done(note=f"{_name(asked)} goes on with its next instant")


def run_now(login: Login, asked: ViewRequest) -> Done:
    handle = login.app.schedules.run_now(_name(asked))
    return Done(note=f"{_name(asked)} has made the task {handle.id}")


def edit(login: Login, asked: ViewRequest) -> Done:
    """Change what was changed in the form: what stands there as it was is not sent, so that what is declared in code keeps its own."""
    name = _name(asked)
    was = login.app.schedules.show(name, 0)
    if asked.get("reset"):
        login.app.schedules.edit(name, reset=True)
        return Done(note=f"{name} is again as it is in the code of the workers")
    before = rule_fields(was)
    changes: dict[str, Any] = {}
    for field in RULE:
        text = asked.get(field)
        if text == before[field] or (field in ("cron", "every") and not text):
            continue
        changes[field] = age(text or "0s", field) if field in ("every", "jitter") else text
    if not changes:
        return Done(note=f"nothing of {name} was changed")
    if {"cron", "every"} <= changes.keys():
        raise InvalidArgument("a schedule has a cron rule or an interval, not both; leave one of them empty")
    changed = login.app.schedules.edit(name, **changes)
    return Done(note=f"{name} is changed: {rule_in_words(changed)}")


def rule_fields(found: Schedule) -> dict[str, str]:
    """The fields of the form, as texts that the form takes."""
    return {
        "cron": found.cron or "",
        "every": "" if found.every is None else f"{found.every:g}s",
        "tz": found.tz,
        "misfire": found.misfire,
        "overlap": found.overlap,
        "jitter": f"{found.jitter:g}s",
    }


def _name(asked: ViewRequest) -> str:
    if not asked.get("name"):
        raise InvalidArgument("which schedule? The address names none")
    return asked.get("name")


def _shown(found: Schedule) -> dict[str, Any]:
    return {
        **asdict(found),
        "rule": rule_in_words(found),
        "next_at": None if found.next is None else found.next.timestamp(),
        "last_at": None if found.last is None else found.last.timestamp(),
    }
