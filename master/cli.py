"""``tq-master``: options in, one running master out."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..common.auth.key_files import take_masters_authkey
from ..common.errors import TqError, see
from ..common.runtime.command_line import CHECK, OneScreen, first_word, flags, show
from ..common.runtime.config import MasterSettings, load_settings
from ..common.runtime.event_loop import run_loop
from ..common.runtime.hiding import hide_process
from ..common.runtime.logs import EventLog
from ..common.runtime.sd_notify import Notifier
from ..common.runtime.terminal import say, write_line
from ..common.version import VERSION
from .addresses import refuse_shown_password
from .app import MasterResources, Opening, open_master
from .check import check
from .compact import COMPACT, compact
from .copying import COPY, CopyLine, copy
from .gateway.options import GatewayArguments, GatewayOptions, check_ports, read_options
from .joining import ADMIT, JOIN, REQUEST, about_certificates
from .process_place import ProcessPlace, take_place
from .process_signs import notifier_of
from .processes import CANNOT_START, REFUSES, ProcessGuard, make_shards, places_of
from .serving import DISPLACED, serve
from .standby.displacement import Displacement
from .standby.standing import LOOK_AGAIN_SECONDS
from .store.cluster_files import NEW_CERTIFICATE, NEW_STORE, StartOptions
from .store.interface.store import Displaced, OwnedElsewhere, StoreAway
from .waiting_turn import TurnCame, wait_for_turn


@click.command(
    cls=OneScreen,
    settings=MasterSettings,
    words=(CHECK, COMPACT, COPY, REQUEST, ADMIT, JOIN),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: tq-master --bind 0.0.0.0:5000 --data /var/lib/tq",
)
@click.option("--bind", metavar="HOST:PORT", help="Where to listen.  [127.0.0.1:5000]")
@click.option("--advertise", metavar="HOST:PORT", hidden=True, help="Where others are sent to it.")
@click.option("--data", metavar="DIR", help="Where the state lives.  [the user's own]")
@click.option("--store", metavar="URL", help="The state in a database: postgresql://…")
@click.option(
    "--config", type=click.Path(path_type=Path), envvar="TQ_CONFIG", help="A TOML file of settings."
)
@click.option("--authkey", metavar="KEY", help="One plain key for all. Prefer a file.")
@click.option("--authkey-file", metavar="FILE", help="A file with that key; or TQ_AUTHKEY.")
@click.option("--durability", metavar="fsync|os|memory", help="When a task counts as stored.  [fsync]")
@click.option("--http", metavar="HOST:PORT", help="Serve health and metrics there.  [off]")
@click.option("--log-format", metavar="text|json", help="How events are written to stderr.  [text]")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error.  [info]")
@click.option("--gateway", metavar="HOST:PORT", hidden=True, help="Serve unchanged multiprocessing clients.")
@click.option("--gateway-authkey-file", type=click.Path(path_type=Path), hidden=True, help="Their key.")
@click.option("--gateway-public", is_flag=True, hidden=True, help="On an address others reach, in the clear.")
@click.option(
    "--new-store", is_flag=True, hidden=True, help="Begin with no tasks beside the keys that are there."
)
@click.option(
    "--new-certificate", is_flag=True, hidden=True, help="Take a certificate that no key names yet."
)
@click.option("--from", "source", metavar="DIR|URL", default="", hidden=True, help="What is copied.")
@click.option("--to", "target", metavar="URL|DIR", default="", hidden=True, help="Where it is copied to.")
@click.option("--json", "as_json", is_flag=True, hidden=True, help="What a copy came to, for programs.")
@click.version_option(VERSION, prog_name="tq-master")
def main(
    config: Path | None,
    authkey: str | None,
    gateway: str | None,
    gateway_authkey_file: Path | None,
    gateway_public: bool,
    new_store: bool,
    new_certificate: bool,
    source: str,
    target: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Accept tasks, keep them, hand them to workers, keep the results.

    Its first start prints what to run next. `tq-master check` only looks;
    `compact` shrinks its store, `copy` moves it; `join`, …: docs/security.md.
    """
    # First: from here on the process may hold a key.
    hide_process()
    # Here, where the process is known to be a master's, and nowhere below: what opens a store may run in another's, with its own threads and
    # files. What is made there is for its owner only by itself; this is for what SQLite and libraries make.
    os.umask(0o077)
    notifier, place = notifier_of(os.environ), take_place(os.environ)
    try:
        settings = load_settings(MasterSettings, config, os.environ, options, flags())
        if place is not None:
            settings = place.settings(settings)
        refuse_shown_password(options["store"])
        arguments = GatewayArguments(gateway, gateway_authkey_file, gateway_public)
        start = StartOptions(new_store, new_certificate)
        if first_word() == CHECK:
            show(check(settings, authkey, arguments, start))
        if first_word() == COMPACT:
            write_line(compact(settings))
            return
        if first_word() == COPY:
            _copy(source, target, as_json=as_json)
            return
        if first_word() in (REQUEST, ADMIT, JOIN):
            about_certificates(first_word(), settings)
            return
        gateway_options = read_options(arguments)
        if place is not None and gateway_options is not None:
            gateway_options = gateway_options.of_process(place.number, place.of)
        environment = dict(
            os.environ
        )  # of processes that this one may start: with the key that is taken next
        key, is_passed_over = take_masters_authkey(authkey, settings.authkey_file)
        log = EventLog(settings.log_format, threshold=settings.log_level)
        if is_passed_over:
            log.event("authkey.passed_over", level="warning")
        if settings.processes > 1 and place is None:
            sys.exit(_guard(settings, environment, key, start, gateway_options, log, notifier))
        sys.exit(_serve_in_turns(settings, key, start, place, gateway_options, log, notifier))
    except TqError as error:
        lines = [*str(error).splitlines(), see(type(error))]
        if place is not None:  # its guard says it: once, if it will be so again
            write_line(REFUSES + json.dumps(lines))
        else:
            for line in lines:
                _complain(line)
        sys.exit(CANNOT_START)


def _complain(line: str) -> None:
    say(f"tq-master: {line}")


def _serve_in_turns(
    settings: MasterSettings,
    key: str | None,
    start: StartOptions,
    place: ProcessPlace | None,
    gateway: GatewayOptions | None,
    log: EventLog,
    notifier: Notifier,
) -> int:
    """Serve while no other master does, and stand by while one does. The status to end with."""
    for earlier in itertools.count():
        turn = wait_for_turn(settings, log, notifier, again=earlier > 0)
        if turn is TurnCame.ENDS:
            break
        displacement = Displacement()
        try:
            resources = open_master(Opening(settings, key, log.event, start, displacement.happened, place))
        except (OwnedElsewhere, Displaced) as error:  # another one was quicker
            log.event("master.was_slower", reason=str(error))
        except StoreAway as error:
            if earlier == 0 and turn is not TurnCame.STOOD_BY:
                raise
            log.event("standby.database_away", level="warning", error=str(error))
        else:
            code = _serve_a_turn(
                resources, gateway, log, notifier, displacement, with_authkey=key is not None
            )
            if code != DISPLACED:
                return code
            continue
        time.sleep(LOOK_AGAIN_SECONDS)
    return 0


def _serve_a_turn(
    resources: MasterResources,
    gateway: GatewayOptions | None,
    log: EventLog,
    notifier: Notifier,
    displacement: Displacement,
    *,
    with_authkey: bool,
) -> int:
    """Serve until a signal, or until another master has taken over: DISPLACED."""
    try:
        code = run_loop(serve(resources, log, notifier, gateway, displacement, with_authkey=with_authkey))
    finally:
        unwritten = resources.close()
        if unwritten is not None:
            say(f"tq-master: {unwritten}")
    return code if unwritten is None else 1


def _guard(
    settings: MasterSettings,
    environment: Mapping[str, str],
    key: str | None,
    start: StartOptions,
    gateway: GatewayOptions | None,
    log: EventLog,
    notifier: Notifier,
) -> int:
    """Start the processes of this master, and end with them."""
    if gateway is not None:
        check_ports(gateway, settings.bind, settings.processes)
    make_shards(settings, key, start, log.event)
    places = places_of(settings)
    # What was confirmed once is done.
    words = [word for word in sys.argv[1:] if word not in (NEW_STORE, NEW_CERTIFICATE)]

    async def guarded() -> int:
        guard = ProcessGuard(places, words, environment, log.event, write_line, _complain, notifier)
        return await guard.run()

    return run_loop(guarded())


def _copy(source: str, target: str, *, as_json: bool) -> None:
    line = CopyLine()
    try:
        done = copy(source, target, line.show)
    finally:
        line.end()
    write_line(json.dumps(done.record) if as_json else str(done))


if __name__ == "__main__":
    main()
