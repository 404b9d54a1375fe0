"""``tq schedule add | ls | show | edit | pause | resume | rm | run-now | preview | backfill``"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import click

from ...common.domain.durations import every as in_words_of
from ...common.domain.durations import span
from ...common.domain.model import Role
from ...common.domain.recurrence import cron as cron_rule
from ...common.domain.recurrence import interval
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import write
from ..app import App
from ..schedules.schedule import Occurrence, Schedule
from .group import GuessingGroup
from .lately import Lately, read
from .options import connected
from .output import count, print_json, print_table
from .submit import as_argument, as_keywords
from .where import age

COLUMNS: Final = ("schedule", "state", "rule", "next", "#made", "last 20", "#took", "task")
HISTORY_COLUMNS: Final = ("instant", "state", "#took", "by", "task or reason")
FORMAT: Final = "%Y-%m-%d %H:%M:%S %Z"

_F = TypeVar("_F", bound=Callable[..., Any])


def timed(function: _F) -> _F:
    """Give a command the options that say when; the function gets those that were given as ``rule``."""

    @click.option("--cron", metavar="RULE", help="'0 3 * * *': minute hour day month weekday.")
    @click.option("--every", metavar="TIME", help="30s, 5min, 2h, 1d; counted from 1970, UTC.")
    @click.option("--tz", metavar="ZONE", help="Of the rule, as in Europe/Prague.  [UTC]")
    @click.option("--misfire", metavar="WORD", help="Of missed ones: latest, all or skip.  [latest]")
    @click.option("--overlap", metavar="WORD", help="allow, skip, queue or cancel_running.  [allow]")
    @click.option("--jitter", metavar="TIME", help="Start up to so much later.  [0s]")
    @functools.wraps(function)
    def command(every: str | None, jitter: str | None, **given: Any) -> Any:
        names = ("cron", "tz", "misfire", "overlap")
        rule = {name: value for name in names if (value := given.pop(name)) is not None}
        if every is not None:
            # Only what was given: `edit` must not reset what it was not asked to.
            rule["every"] = age(every, "every")
        if jitter is not None:
            rule["jitter"] = age(jitter, "jitter")
        return function(rule=rule, **given)

    return command  # type: ignore[return-value]


def called(function: _F) -> _F:
    """Give a command the options for what the tasks are called with; the function gets ``keywords`` and ``queue``."""

    @click.option("--kw", "keywords", multiple=True, metavar="NAME=JSON", help="A keyword argument.")
    @click.option("--queue", metavar="NAME", help="Queue of its tasks.  [default]")
    @functools.wraps(function)
    def command(**given: Any) -> Any:
        return function(**given)

    return command  # type: ignore[return-value]


@click.group(cls=GuessingGroup, epilog="Example: tq schedule add nightly jobs:report --cron '0 3 * * *'")
def schedule() -> None:
    """Have tasks made at certain times. What is declared in code is here, too."""


@schedule.command(epilog="Example: tq schedule add poll jobs:poll --every 5min --overlap skip")
@click.argument("name")
@click.argument("task", metavar="MODULE:FUNCTION")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@timed
@called
@click.option("--retries", type=int, metavar="N", help="Further attempts after a failure.  [0]")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt.")
@connected(Role.CLIENT)
def add(
    app: App,
    as_json: bool,
    name: str,
    task: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    rule: dict[str, Any],
    **options: Any,
) -> None:
    """Make a schedule. Arguments are JSON: 7, '"text"', '[1, 2]'.

    The master makes a task at each of its times, also while no worker is there.
    """
    given = {option: value for option, value in options.items() if value is not None}
    made = app.schedules.add(
        name,
        app.named(task).using(**given),
        args=[as_argument(text) for text in arguments],
        kwargs=as_keywords(keywords),
        **rule,
    )
    _print_changed(made, as_json)
    # No error: a worker may come later. But a mistyped name would wait silently until the first instant.
    if not as_json and not app.call(("get_workers",), "serving", made.queue, made.task)[0]:
        write(
            f"no connected worker serves {made.task} in queue {made.queue}: its tasks wait until one does\n"
        )


@schedule.command("ls", epilog="Example: tq schedule ls")
@connected(Role.VIEWER)
def list_schedules(app: App, as_json: bool) -> None:
    """List schedules: state, rule, next instant, tasks made, how the last twenty went."""
    rows = app.schedules.list()
    past = read(app, rows)
    if as_json:
        print_json([with_lately(one, past.get(one.name)) for one in rows])
        return
    # What became of them is a column once something has.
    with_past = any(str(one) for one in past.values())
    cells = [
        (
            one.name,
            one.state,
            rule_in_words(one),
            _at(one.next, one.tz),
            count(one.fired),
            *(_lately_cells(past.get(one.name)) if with_past else ()),
            one.task,
        )
        for one in rows
    ]
    columns = [name for name in COLUMNS if with_past or name not in ("last 20", "#took")]
    spare = ("#took", "#made", "task", "last 20")
    print_table(columns, cells, empty="no schedules; tq schedule add makes one", spare=spare)


@schedule.command(epilog="Example: tq schedule show nightly")
@click.argument("name")
@click.option("--history", type=click.IntRange(0, 1_000), default=20, metavar="N", help="How many.  [20]")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, name: str, history: int) -> None:
    """Show a schedule and what became of its instants, newest first."""
    found = app.schedules.show(name, history)
    if as_json:
        print_json(for_programs(found))
        return
    for title, text in _facts(found):
        write(f"{title:<10} {text}\n")
    write("\n")
    cells = [_history_cells(one, found.tz) for one in found.history]
    print_table(HISTORY_COLUMNS, cells, empty="nothing was due yet")


@schedule.command(epilog="Example: tq schedule edit nightly --cron '30 3 * * *'")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@timed
@called
@click.option("--reset", is_flag=True, help="Drop earlier changes: what is in the code holds.")
@connected(Role.CLIENT)
def edit(
    app: App,
    as_json: bool,
    name: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    queue: str | None,
    rule: dict[str, Any],
    reset: bool,
) -> None:
    """Change a schedule from its next instant on.

    What is changed of one that is declared in code stays changed, whatever workers
    declare, until --reset.
    """
    changes: dict[str, Any] = dict(rule)
    if queue is not None:
        changes["queue"] = queue
    if arguments or keywords:
        # Both together: arguments are one call, of which half a change would be another one.
        changes["args"] = [as_argument(text) for text in arguments]
        changes["kwargs"] = as_keywords(keywords)
    if not changes and not reset:
        raise click.UsageError("nothing to change; name what, as in --every 10min")
    _print_changed(app.schedules.edit(name, reset=reset, **changes), as_json)


@schedule.command(epilog="Example: tq schedule pause nightly --reason 'the database moves'")
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Shown as the reason.")
@connected(Role.CLIENT)
def pause(app: App, as_json: bool, name: str, reason: str) -> None:
    """Pause a schedule: it makes no tasks, whatever workers declare."""
    app.schedules.pause(name, reason)
    _print_state(app, as_json, name)


@schedule.command(epilog="Example: tq schedule resume nightly")
@click.argument("name")
@connected(Role.CLIENT)
def resume(app: App, as_json: bool, name: str) -> None:
    """Go on with the next instant; those of the pause are skipped."""
    app.schedules.resume(name)
    _print_state(app, as_json, name)


@schedule.command("rm", epilog="Example: tq schedule rm nightly")
@click.argument("name")
@connected(Role.CLIENT)
def remove(app: App, as_json: bool, name: str) -> None:
    """Delete a schedule and its history. Its tasks stay."""
    app.schedules.remove(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        write(f"{name} is removed\n")


@schedule.command("run-now", epilog="Example: tq schedule run-now nightly")
@click.argument("name")
@connected(Role.CLIENT)
def run_now(app: App, as_json: bool, name: str) -> None:
    """Make a task of it at once, and print its id."""
    handle = app.schedules.run_now(name)
    if as_json:
        print_json({"name": name, "id": handle.id})
    else:
        write(handle.id + "\n")


@schedule.command(epilog="Example: tq schedule preview nightly --next 20")
@click.argument("name", required=False)
@click.option("--next", "instants", type=click.IntRange(1, 1_000), default=20, metavar="N", help="[20]")
@click.option("--cron", metavar="RULE", help="Instead of a name: of this rule.")
@click.option("--every", metavar="TIME", help="Instead of a name: of this interval.")
@click.option("--tz", metavar="ZONE", default="UTC", help="Of that rule.  [UTC]")
@connected(Role.VIEWER)
def preview(
    app: App, as_json: bool, name: str | None, instants: int, cron: str | None, every: str | None, tz: str
) -> None:
    """Print the next instants of a schedule, or of a rule that none has yet."""
    if (name is not None) + (cron is not None) + (every is not None) != 1:
        raise click.UsageError("name a schedule, or give --cron RULE or --every TIME")
    if name is not None:
        # By the master, whose time zones decide.
        tz, moments = app.schedules.show(name, 0).tz, app.schedules.preview(name, instants)
    else:
        moments = _computed(cron, every, tz, instants)
    if as_json:
        print_json([moment.isoformat() for moment in moments])
    else:
        write("".join(f"{_at(moment, tz)}\n" for moment in moments) or "no instant is left\n")


@schedule.command(epilog="Example: tq schedule backfill nightly --from 2026-03-01 --to 2026-03-08")
@click.argument("name")
@click.option("--from", "since", required=True, metavar="TIME", help="2026-03-01 or 2026-03-01T03:00+01:00.")
@click.option("--to", "until", required=True, metavar="TIME", help="The end, included.")
@connected(Role.CLIENT)
def backfill(app: App, as_json: bool, name: str, since: str, until: str) -> None:
    """Make the tasks of past instants that have none. Times without a zone are local."""
    handles = app.schedules.backfill(name, _moment("from", since), _moment("to", until))
    if as_json:
        print_json({"name": name, "ids": [handle.id for handle in handles]})
    else:
        write(f"{count(len(handles))} instants have their tasks; tq schedule show {name} lists them\n")


def _computed(cron: str | None, every: str | None, tz: str, instants: int) -> list[datetime]:
    """Here, without a master."""
    rule = interval(age(every, "every")) if every is not None else cron_rule(cron, tz)
    moment: int | None = int(datetime.now(UTC).timestamp() * 1000)
    found: list[datetime] = []
    while len(found) < instants and moment is not None:
        moment = rule.after(moment)
        if moment is not None:
            found.append(datetime.fromtimestamp(moment / 1000, UTC))
    return found


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"--{option} {text!r:.40}: write 2026-03-01, or 2026-03-01T03:00+01:00"
        ) from None
    return moment.astimezone()


def _print_state(app: App, as_json: bool, name: str) -> None:
    _print_changed(app.schedules.show(name, 0), as_json)


def _print_changed(found: Schedule, as_json: bool) -> None:
    if as_json:
        print_json(for_programs(found))
    else:
        when = "makes no tasks" if found.next is None else f"is due next at {_at(found.next, found.tz)}"
        why = f": {found.why}" if found.why else ""
        write(f"{found.name} is {found.state} and {when}{why}\n")


def _facts(found: Schedule) -> list[tuple[str, str]]:
    policies = f"misfire {found.misfire}, overlap {found.overlap}"
    jitter = f", jitter {span(found.jitter)}" if found.jitter else ""
    facts = [
        ("schedule", found.name),
        ("state", f"{found.state}: {found.why}" if found.why else found.state),
        ("task", f"{found.task}, queue {found.queue}"),
        ("rule", f"{rule_in_words(found)}; {policies}{jitter}"),
        ("next", _at(found.next, found.tz)),
        ("made", f"{count(found.fired)} tasks, by the rights of the key {found.key}"),
    ]
    if found.declared:
        workers = "worker" if found.workers == 1 else "workers"
        differing = f", {found.differing} of them differently" if found.differing else ""
        facts.append(("declared", f"in the code of {found.workers} connected {workers}{differing}"))
    if found.edited:
        facts.append(("edited", f"{', '.join(found.edited)}; tq schedule edit {found.name} --reset drops it"))
    return facts


def _history_cells(one: Occurrence, tz: str) -> tuple[object, ...]:
    took = "" if one.seconds is None else span(one.seconds)
    instant = _at(one.instant, tz)
    if one.instants > 1:
        # Missed instants that were skipped together are one row.
        instant = f"{count(one.instants)} from {_at(one.first, tz)}"
    return instant, one.state, took, one.by, one.why or one.task_id


def _lately_cells(past: Lately | None) -> tuple[object, object]:
    if past is None:
        return "", ""
    return str(past), "" if past.seconds is None else span(past.seconds)


def with_lately(found: Schedule, past: Lately | None) -> dict[str, Any]:
    """For programs: with what became of its last twenty."""
    return {**for_programs(found), "lately": None if past is None else past._asdict()}


def rule_in_words(found: Schedule) -> str:
    if found.cron is None:
        return in_words_of(found.every or 0.0)
    return f"{found.cron} {found.tz}"


def _at(moment: datetime | None, tz: str) -> str:
    if moment is None:
        return ""
    try:
        return moment.astimezone(ZoneInfo(tz)).strftime(FORMAT)
    except (LookupError, ValueError, OSError):  # a zone that only the master knows
        return moment.strftime(FORMAT)


def for_programs(found: Schedule) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    shown: dict[str, Any] = plain(asdict(found))
    return shown
