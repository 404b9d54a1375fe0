"""``tq-worker``: options in, one worker out."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..common.auth.key_files import take_authkey
from ..common.auth.keys import Credential
from ..common.domain.model import Role
from ..common.domain.naming import SWITCHES, switches_missing
from ..common.errors import ConfigError, InvalidArgument, Rejected, TqError, see
from ..common.runtime.command_line import CHECK, OneScreen, first_word, flags, show
from ..common.runtime.config import HERE, SHARED_VARIABLES, WorkerSettings, load_settings
from ..common.runtime.discovery import find_dev
from ..common.runtime.end_signals import on_end_signals
from ..common.runtime.event_loop import run_loop
from ..common.runtime.exposition import Exposition, is_available, missing
from ..common.runtime.garbage import freeze_started
from ..common.runtime.health import Attendant, MakePage, OnLag
from ..common.runtime.hiding import hide_process
from ..common.runtime.logs import EventLog
from ..common.runtime.sd_notify import Notifier
from ..common.runtime.terminal import ask_secret, say, write_line
from ..common.version import VERSION
from ..common.wire.address import parse_address, parse_addresses
from .agent.announcement import applied_queues
from .check import check
from .child.loading import BrokenCode
from .supervisor.event_pipe import open_event_pipe
from .supervisor.health import WorkerVitals
from .supervisor.metrics import WorkerMeters, WorkerMetrics
from .supervisor.supervisor import Supervisor

EXIT_USAGE, EXIT_REFUSED = 2, 4


@click.command(
    cls=OneScreen,
    settings=WorkerSettings,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tq-worker --connect host:5000 --authkey-file worker.key myapp.tasks",
)
@click.argument("modules", nargs=-1, metavar="[MODULE[:APP] | FILE.py]...")
@click.option(
    "--connect", multiple=True, metavar="HOST:PORT", help="A master; of several the one that serves is found."
)
@click.option("--slots", type=int, metavar="N", help="Tasks at the same time, each in a process.  [cores]")
@click.option(
    "--pool",
    "pools",
    multiple=True,
    metavar="KIND:N",
    help="process:2, thread:50, async:500; @QUEUE behind it.",
)
@click.option("--autoscale", metavar="MIN,MAX", hidden=True, help="As many processes as there is work for.")
@click.option(
    "--preload", multiple=True, metavar="MODULE", hidden=True, help="Import it once for all children."
)
@click.option("--watch", is_flag=True, hidden=True, help="Load code that has changed, without a new start.")
@click.option("--queue", "queues", multiple=True, metavar="GLOB", help="Serve only these queues.  [all]")
@click.option("--allow", multiple=True, metavar="GLOB", help="Run these callables as well: 'math.*'.")
@click.option("--allow-shell", is_flag=True, help="Run any program for any client.")
@click.option("--allow-http", is_flag=True, hidden=True, help="Fetch URLs of the internet for any client.")
@click.option("--http-private", is_flag=True, hidden=True, help="Fetch from private addresses as well.")
@click.option("--apply", metavar="MODULE:FUNC", hidden=True, help="Call it for every item of --queue.")
@click.option("--results", metavar="QUEUE", hidden=True, help="Where what --apply returns is put.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", hidden=True, help="For where= of tasks."
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="NAME=AMOUNT",
    hidden=True,
    help="For needs=: gpu=2, mem=16G.",
)
@click.option("--authkey", metavar="KEY", help="The key or join token. Prefer --authkey-file.")
@click.option("--authkey-file", metavar="FILE", help="A file with it; TQ_AUTHKEY works as well.")
@click.option("--ca-file", metavar="FILE", hidden=True, help="Trust only certificates of this CA.")
@click.option(
    "--certificate-file", metavar="FILE", hidden=True, help="Show this one, with its key, if the master asks."
)
@click.option(
    "--kill-grace-seconds", type=float, hidden=True, help="From asking a task to stop to killing it.  [5]"
)
@click.option(
    "--config", type=click.Path(path_type=Path), envvar="TQ_CONFIG", help="A TOML file of settings."
)
@click.option("--http", metavar="HOST:PORT", hidden=True, help="Serve health and metrics there.  [off]")
@click.option("--log-format", metavar="text|json", help="How events are written to stderr.  [text]")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [info]")
@click.version_option(VERSION, prog_name="tq-worker")
def main(config: Path | None, authkey: str | None, **options: Any) -> None:
    """Run the tasks of the named modules. `tq-worker check …` starts nothing.

    SIGTERM or Ctrl-C: finish what runs, hand back the rest. Twice: at once.
    """
    for name in ("labels", "resources"):
        if all(options[name]):  # what is empty is refused below, as it was written
            options[name] = ",".join(options[name])
    # Only if both are options: one of them may replace what a file says of the other.
    slots_and_pools = options["slots"] is not None and bool(options["pools"])
    slots_and_range = options["slots"] is not None and options["autoscale"] is not None
    if (results := options.pop("results")) is not None:
        options["apply"] = f"{options['apply'] or ''} > {results}"
    # A switch that was left out must not win over the file.
    given = {name: None if value in ("", ()) or value is False else value for name, value in options.items()}
    hide_process()
    notifier = Notifier()
    try:
        settings = load_settings(WorkerSettings, config, os.environ, given, flags())
        if first_word() == CHECK:
            show(run_loop(check(settings, authkey)))
        if slots_and_pools:
            raise ConfigError(
                f"--slots {settings.slots} and --pool: say it in one, --pool process:{settings.slots}"
            )
        if slots_and_range:
            raise ConfigError(
                "--slots and --autoscale: --slots is how many there are always, --autoscale MIN,MAX how many there may be; write one"
            )
        applied_queues(settings)
        if not (settings.sources or settings.allow):
            raise ConfigError(
                "nothing to serve; name a module or a file: tq-worker --connect host:5000 myapp.tasks"
            )
        key = take_authkey(authkey, settings.authkey_file)
        if key is None:
            settings, key = _of_dev(settings)
        credential = Credential.parse(key)
        log = EventLog(settings.log_format, threshold=settings.log_level)
        code = run_loop(_work(settings, credential, log, notifier))
    except Rejected as error:
        _complain(error)
        sys.exit(EXIT_REFUSED)
    except (ConfigError, InvalidArgument, TqError) as error:
        _complain(error)
        sys.exit(EXIT_USAGE)
    sys.exit(code)


async def _work(settings: WorkerSettings, credential: Credential, log: EventLog, notifier: Notifier) -> int:
    supervisor = Supervisor(settings, credential, log.event)
    metrics, on_lag = _metrics(settings, supervisor, log)
    vitals = WorkerVitals(supervisor)
    attendant = Attendant(vitals, settings.http, log.event, notifier=notifier, metrics=metrics, on_lag=on_lag)
    signals = 0

    def signalled() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            attendant.ending()
            supervisor.drain()
        elif signals == 2:
            supervisor.stop()
        else:
            supervisor.abandon()

    loop = asyncio.get_running_loop()
    event_pipe = open_event_pipe(loop.time, loop.call_later)
    supervisor.watch(event_pipe)
    ended = on_end_signals(signalled)
    try:
        await attendant.open()
        await supervisor.load()
        if event_pipe is None:
            write_line(_banner(settings, supervisor.tasks))
        else:  # the banner is for people: the program that reads the pipe has one of its own
            event_pipe.serves([name for name, _ in supervisor.tasks])
        freeze_started()
        log.event("worker.started", slots=supervisor.slots, tasks=len(supervisor.tasks), pid=os.getpid())
        attendant.ready()
        code = await supervisor.run()
    finally:
        attendant.close()
    ended()
    log.event("worker.stopped", status=code)
    return code


def _metrics(
    settings: WorkerSettings, supervisor: Supervisor, log: EventLog
) -> tuple[MakePage | None, OnLag | None]:
    """What makes /metrics, and what measures the loop's lag; nothing is counted without --http."""
    if settings.http is None:
        return None, None
    if not is_available():
        return missing, None
    meters = WorkerMeters()
    for pool in supervisor.pools:
        pool.calls.meters = meters
    log.counted = meters.events
    return Exposition(WorkerMetrics(supervisor, meters).take).page, meters.lag.observe


def _of_dev(settings: WorkerSettings) -> tuple[WorkerSettings, str]:
    """Beside a `tq dev`, with nothing said: one more worker of it. It comes before TQ_URL, as for programs. Elsewhere a person may type
    the key."""
    url = os.environ.get(SHARED_VARIABLES["connect"])
    unsaid = (HERE,), parse_addresses(url) if url else ()
    dev = find_dev() if settings.connect in unsaid else None
    if dev is None:
        return settings, _ask_for_key()
    return replace(settings, connect=(parse_address(dev.url),)), dev.key(Role.WORKER)


def _ask_for_key() -> str:
    if not sys.stdin.isatty():
        raise ConfigError("no key; give --authkey-file FILE, or set TQ_AUTHKEY")
    return ask_secret("no key is named; authkey or join token, as in the master's worker.key")


def _banner(settings: WorkerSettings, tasks: list[list[str]]) -> str:
    masters = ", ".join(map(str, settings.connect))
    shown = "\n".join(f"    {name}  (queue {queue})" for name, queue in tasks[:20])
    more = f"\n    … and {len(tasks) - 20} more" if len(tasks) > 20 else ""
    serves = f"\n  serves\n{shown}{more}" if tasks else ""
    allows = f"\n  allows {', '.join(settings.allow)}" if settings.allow else ""
    if left_out := switches_missing(settings.allow, settings.sources):
        allows += f"\n  but not {', '.join(f'{one} ({SWITCHES[one]})' for one in left_out)}"
    example = f"tq submit {tasks[0][0] if tasks else 'module:function'} … --wait"
    following = f"\n  next   from a program, or:  {example}"
    if settings.pools:
        slots = ", ".join(map(str, settings.pools))
    elif settings.autoscale is not None:
        slots = "{} to {} slots".format(*settings.autoscale)
    else:
        slots = "1 slot" if settings.slots == 1 else f"{settings.slots} slots"
    return f"tq-worker {VERSION}: {slots} for {masters}{serves}{allows}{following}"


def _complain(error: Exception) -> None:
    read_on = () if isinstance(error, BrokenCode) else (see(type(error)),)
    for line in (*str(error).splitlines(), *read_on):
        say(f"tq-worker: {line}")


if __name__ == "__main__":
    main()
