"""``tq outbox init | run | status | retry | discard``"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ....common.domain.durations import span
from ....common.domain.ids import parse_id, show_id
from ....common.domain.model import Role
from ....common.errors import InvalidArgument
from ....common.runtime.terminal import say, write
from ...app import App
from ...outbox.table import postgres_ddl, sqlite_ddl
from ..group import GuessingGroup
from ..options import connected
from ..output import ago, count, print_json, print_table
from ..where import age
from .address import check_address, is_postgres, open_database
from .database import OutboxDatabase
from .master import MasterHands
from .relay import OutboxRelay
from .running import Reports, ended_by_signals, run_relay

COLUMNS: Final = ("id", "#written", "queue", "task", "#tasks", "error")
KEEP_SECONDS_MAX: Final = 31 * 86_400.0

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group(cls=GuessingGroup, epilog="Example: tq outbox run --database sqlite:///app.db")
def outbox() -> None:
    """Tasks submitted in transactions of a database of yours."""


def _database(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--database`` and ``--schema``, judged before anything is opened."""

    @click.option(
        "--database",
        envvar="TQ_OUTBOX_DATABASE",
        required=True,
        metavar="ADDRESS",
        help="postgresql://… or sqlite:///….  [TQ_OUTBOX_DATABASE]",
    )
    @click.option("--schema", metavar="NAME", help="Of the table, in PostgreSQL.")
    @functools.wraps(function)
    def command(database: str, schema: str | None, **given: Any) -> Any:
        source = click.get_current_context().get_parameter_source("database")
        is_typed = source is click.core.ParameterSource.COMMANDLINE
        check_address(database, schema, is_typed=is_typed)
        return function(database=database, schema=schema, **given)

    return command


@outbox.command(epilog="Example: tq outbox init --database postgresql:///app --sql")
@_database
@click.option("--sql", "prints", is_flag=True, help="Print what makes it; open nothing.")
@click.option("--no-notify", is_flag=True, help="Without NOTIFY: the relay polls.")
def init(database: str, schema: str | None, prints: bool, no_notify: bool) -> None:
    """Make the table tq_outbox, unless it is there.

    With --sql it is printed, for a migration of yours.
    """
    if prints:
        is_there = is_postgres(database)
        write(postgres_ddl(schema, notifies=not no_notify) if is_there else sqlite_ddl())
        return
    opened = open_database(database, schema, makes=True)
    try:
        opened.make(notifies=not no_notify)
    finally:
        opened.close()
    write(f"{opened.shown} has the table tq_outbox\n")


@outbox.command(epilog="Example: tq outbox run --database sqlite:///app.db")
@_database
@click.option("--once", is_flag=True, help="End when nothing is left to hand over.")
@click.option("--batch", default=100, show_default=True, metavar="N", help="Rows at a time, 1 to 1000.")
@click.option("--poll", default="1s", show_default=True, metavar="TIME", help="Look so often.")
@click.option("--keep", default="0s", show_default=True, metavar="TIME", help="Keep sent rows.")
@click.option("--no-listen", is_flag=True, help="Do not LISTEN: poll alone.")
@connected(Role.CLIENT)
def run(
    app: App,
    as_json: bool,
    database: str,
    schema: str | None,
    once: bool,
    batch: int,
    poll: str,
    keep: str,
    no_listen: bool,
) -> None:
    """Hand committed rows over to the master, until it is stopped.

    Any number may run. --keep: for tq outbox retry --sent, should the
    master be restored from a backup.
    """
    if not 1 <= batch <= 1_000:
        raise InvalidArgument(f"--batch {batch}: from 1 to 1000")
    poll_seconds, keep_seconds = age(poll, "poll"), age(keep, "keep")
    if not 0 < poll_seconds <= 3_600:
        raise InvalidArgument(f"--poll {poll}: longer than 0, and at most 1h")
    if not 0 <= keep_seconds <= KEEP_SECONDS_MAX:
        raise InvalidArgument(f"--keep {keep}: at most 31d")
    stopped = threading.Event()
    reports = Reports(as_json=as_json)

    def opened() -> OutboxDatabase:
        return open_database(database, schema, listens=not no_listen, stopped=stopped)

    master = MasterHands(app)

    def relay(of: OutboxDatabase) -> OutboxRelay:
        if not as_json:
            say(f"handing over what is committed in {of.shown}; Ctrl-C ends it")
        clock = (
            functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
            if hasattr(time, "CLOCK_BOOTTIME")
            else time.monotonic
        )
        return OutboxRelay(
            of, master, clock, batch=batch, keep_seconds=keep_seconds, report=reports.set_aside
        )

    with ended_by_signals(stopped):
        run_relay(opened, master, relay, reports, stopped, poll_seconds=poll_seconds, once=once)


@outbox.command(epilog="Example: tq outbox status --database sqlite:///app.db")
@_database
@click.option("--limit", default=20, show_default=True, metavar="N", help="Show so many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def status(database: str, schema: str | None, limit: int, as_json: bool) -> None:
    """How many rows wait, and which were set aside, and why.

    The newest first. The master is not asked.
    """
    opened = open_database(database, schema)
    try:
        counts, refused = opened.counts(), opened.refused(max(0, limit))
    finally:
        opened.close()
    if as_json:
        rows = [{**row._asdict(), "id": show_id(row.id)} for row in refused]
        print_json({**counts._asdict(), "rows": rows})
        return
    oldest = ""
    if counts.oldest is not None:
        oldest = f" (the oldest for {span(max(0.0, time.time() - counts.oldest))})"
    kept = f", {count(counts.sent)} handed over and kept" if counts.sent else ""
    write(f"waiting {count(counts.waiting)}{oldest}, set aside {count(counts.refused)}{kept}\n")
    if refused:
        write("\n")
        cells = (
            (show_id(row.id), ago(row.created), row.queue, row.task, count(row.tasks), row.reason)
            for row in refused
        )
        print_table(COLUMNS, cells, empty="")
        say("\n(mend what the reason says, then: tq outbox retry ID, or --all; tq outbox discard deletes)")


def _chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the ids of rows, or ``--all``."""

    @click.argument("ids", nargs=-1, metavar="[ID]…")
    @click.option("--all", "every", is_flag=True, help="All that were set aside.")
    @functools.wraps(function)
    def command(ids: tuple[str, ...], every: bool, **given: Any) -> Any:
        if bool(ids) == every:
            raise InvalidArgument("say which rows: their ids, as tq outbox status shows them, or --all")
        return function(ids=None if every else [parse_id(id, "row") for id in ids], **given)

    return command


@outbox.command(epilog="Example: tq outbox retry --all --database sqlite:///app.db")
@_chosen
@click.option("--sent", is_flag=True, help="Those that were handed over and are kept.")
@_database
def retry(database: str, schema: str | None, ids: list[bytes] | None, sent: bool) -> None:
    """Hand rows over again that were set aside.

    With --sent those that --keep has kept: after the master was restored
    from a backup. What the master knows is not accepted twice.
    """
    opened = open_database(database, schema)
    try:
        rows = opened.retry(ids, sent=sent)
    finally:
        opened.close()
    write(f"{_rows(rows)} to hand over again\n")


@outbox.command(epilog="Example: tq outbox discard --all --database sqlite:///app.db")
@_chosen
@_database
def discard(database: str, schema: str | None, ids: list[bytes] | None) -> None:
    """Delete rows that were set aside: their tasks never run."""
    opened = open_database(database, schema)
    try:
        rows = opened.discard(ids)
    finally:
        opened.close()
    write(f"{_rows(rows)} deleted\n")


def _rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{count(rows)} rows"
