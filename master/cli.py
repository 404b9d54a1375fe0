"""``tq-master``: options in, one running master out."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..common.auth.key_files import take_masters_authkey
from ..common.errors import ConfigError, TqError, see
from ..common.runtime.command_line import CHECK, OneScreen, first_word, flags, show
from ..common.runtime.config import MasterSettings, load_settings
from ..common.runtime.end_signals import on_end_signals
from ..common.runtime.event_loop import run_loop
from ..common.runtime.garbage import freeze_started
from ..common.runtime.health import Attendant
from ..common.runtime.hiding import hide_process
from ..common.runtime.logs import EventLog
from ..common.runtime.sd_notify import Notifier
from ..common.runtime.terminal import say, write_line
from ..common.version import VERSION
from ..common.wire.address import Address
from .addresses import refuse_shown_password
from .app import MasterResources, open_master
from .banner import banner
from .check import check
from .compact import COMPACT, compact
from .copying import COPY, CopyLine, copy
from .gateway.options import GatewayArguments, GatewayOptions, check_ports, read_options
from .joining import ADMIT, JOIN, REQUEST, about_certificates
from .net.hosted import HostedShards
from .net.ports import why_not_listening
from .net.transactions import DRAIN_SECONDS_MAX
from .observe.health import vitals_of
from .observe.page_program import PageProgram
from .observed_shards import ObservedShards
from .process_place import ProcessPlace, take_place
from .process_signs import notifier_of
from .processes import CANNOT_START, LISTENS, REFUSES, ProcessGuard, make_shards, places_of
from .sharing import ShardSharing
from .standby.displacement import Displacement
from .standby.standing import LOOK_AGAIN_SECONDS
from .store.cluster_files import NEW_CERTIFICATE, NEW_STORE, StartOptions
from .store.interface.store import Displaced, OwnedElsewhere, StoreAway
from .waiting_turn import TurnCame, wait_for_turn

if TYPE_CHECKING:
    from .gateway.server import Gateway

DISPLACED: Final = -1  # what serving came to: another master has taken over
END_SECONDS_MAX: Final = (
    DRAIN_SECONDS_MAX + 5.0
)  # from the signal to the end of the process, even if a disk hangs


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
            resources = open_master(settings, key, log.event, start, displacement.happened, place)
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
        code = run_loop(_serve(resources, log, notifier, gateway, displacement, with_authkey=with_authkey))
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


async def _serve(
    resources: MasterResources,
    log: EventLog,
    notifier: Notifier,
    gateway_options: GatewayOptions | None,
    displacement: Displacement,
    *,
    with_authkey: bool,
) -> int:
    hosted = resources.host(log.event)
    gateway = None if gateway_options is None else _gateway(hosted, gateway_options)
    sharing: ShardSharing | None = None
    stop, page, revoked = asyncio.Event(), None, ""

    def retire(reason: str) -> None:
        nonlocal revoked
        revoked = reason
        stop.set()

    observed = ObservedShards(resources, hosted, log, retire)
    vitals = vitals_of(
        hosted.servers, resources.count, lambda: sharing.unready() if sharing is not None else []
    )
    attendant = Attendant(
        vitals,
        resources.settings.http,
        log.event,
        notifier=notifier,
        metrics=observed.page,
        on_lag=observed.on_lag,
    )
    try:
        address = await _listen(hosted, resources.settings.bind)
        await attendant.open()
        if gateway is not None and gateway_options is not None:
            await gateway.listen(gateway_options.address)
        stopped = _handle_signals(stop, log)
        if resources.shared is None:
            resources.introduce(address.port)
        else:
            sharing = ShardSharing(
                resources.shared,
                resources.shards,
                hosted,
                address,
                log.event,
                serve=lambda shard: resources.server_of(shard, hosted.port),
                observer=observed,
                retire=retire,
            )
            await sharing.begin(stop)
        # After the port is bound: a script that waits for this line may connect.
        place, serves = resources.place, bool(hosted.servers)
        if serves and (place is None or place.number == 0):
            write_line(banner(resources, address, with_authkey))
        if place is not None:
            write_line(LISTENS)
        # What was made until now lives as long as the process: the collector need not look at it again.
        freeze_started()
        if serves:
            log.event("master.started", address=str(address), pid=os.getpid())
        else:
            log.event("master.stands_by", address=str(address), pid=os.getpid())
        attendant.ready()
        if sharing is None:
            for server in hosted.servers.values():
                server.transactions.displaced = displacement.happened
            displacement.watch(asyncio.get_running_loop(), stop.set)
        if resources.settings.web is not None:
            page = PageProgram(resources.settings.web, address, log.event)
            page.start()
        await stop.wait()
        if displacement.reason:
            log.event("master.displaced", level="warning", reason=displacement.reason)
            hosted.abandon(displacement.reason)
            if gateway is not None:
                gateway.close()
            return DISPLACED
        if revoked:
            log.event("master.revoked", level="warning", reason=revoked)
        log.event("master.draining")
        vitals.draining = True
        attendant.ending()
        if gateway is not None:
            gateway.close()
        # Before the drain, which may wait for a disk without end.
        _end_at_latest(log)
        if sharing is not None:
            await sharing.end()
        if not await hosted.drain():
            _give_up(log, "a transaction has not ended: the disk does not answer")
    finally:
        if page is not None:
            await page.end()
        attendant.close()
        if sharing is not None:
            sharing.close()
        # In any case: threads and descriptors are given back also when listening failed.
        hosted.close()
    stopped()
    log.event("master.stopped")
    if revoked:
        raise ConfigError(revoked)
    return 0


def _gateway(hosted: HostedShards, options: GatewayOptions) -> Gateway:
    from .gateway.server import Gateway  # a dozen modules, which few masters need

    return Gateway(hosted, options.key, options.ports)


def _end_at_latest(log: EventLog) -> None:
    """Bound the time until this process ends: threads that wait for a disk or for a user's object do not keep it."""
    timer = threading.Timer(
        END_SECONDS_MAX,
        _give_up,
        [log, "a thread has not ended: the disk or an exposed object does not answer"],
    )
    timer.daemon = True
    timer.start()


def _give_up(log: EventLog, reason: str) -> None:
    """What was acknowledged is on disk; what was not is repeated by its caller."""
    log.event("master.stopped", level="warning", reason=reason)
    os._exit(1)


async def _listen(server: HostedShards, bind: Address) -> Address:
    try:
        addresses = await server.listen(bind.host, bind.port)
    except OSError as error:
        raise ConfigError(why_not_listening(bind, error)) from error
    return Address(*addresses[0])


def _handle_signals(stop: asyncio.Event, log: EventLog) -> Callable[[], None]:
    """The first signal drains, the second ends the process at once. Returns what is to be called when the master has stopped."""

    def first_or_second() -> None:
        if stop.is_set():
            log.event("master.stopped", level="warning", reason="second signal")
            os._exit(1)
        stop.set()

    return on_end_signals(first_or_second)


if __name__ == "__main__":
    main()
