"""``tq doctor``: the way from here to a worker and back, one step a line, each ok, a warning or what to do."""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from ...common.address import parse_address
from ...common.checkup import Checkup
from ...common.discovery import Whereabouts, discover
from ...common.errors import Rejected, TqError
from ...common.keys import Credential
from ...common.model import Role
from ...common.probe import PROBE
from ...common.screen import print_finding
from ...common.secrets import read_key_file
from ...common.version import VERSION
from ..app import App
from .failing import FAILED
from .options import CONNECT_SECONDS
from .output import print_json

ROUND_TRIPS: Final = 5
PROBE_SECONDS: Final = 10.0
CLOCK_SECONDS_MAX: Final = 2.0  # more shows in ages and due times; nothing breaks by it
COMMIT_SECONDS_MAX: Final = 0.1  # everybody waits for it
FREE_BYTES_MIN: Final = 1_000_000_000


@click.command(epilog="Example: tq doctor --queue gpu.render")
@click.option("--url", metavar="URL", help="The master, tq://host:5000.  [found]")
@click.option("--authkey-file", type=click.Path(path_type=Path), help="The key.  [found]")
@click.option("--queue", default="default", help="Where to send the probe.  [default]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(url: str | None, authkey_file: Path | None, queue: str, as_json: bool) -> None:
    """Look at everything between here and a worker, and say what to do.

    Address, TLS and key, versions and clocks, the workers, a task that does nothing, there and back, and the
    master's disk. Ends with 1 when something is wrong.
    """
    found = Checkup()
    if not as_json:
        found.on_finding = print_finding
    _examine(found, url, authkey_file, queue)
    if as_json:
        print_json([asdict(one) for one in found.findings])
    sys.exit(FAILED if found.failed else 0)


def _examine(found: Checkup, url: str | None, authkey_file: Path | None, queue: str) -> None:
    """Each step rests on the one before: the first that fails is the one to mend."""
    here = _whereabouts(found, url, authkey_file)
    if here is None or here.url is None or here.authkey is None or not _reach(found, here.url):
        return
    with App(here.url, here.authkey, role=Role.VIEWER, connect_timeout=CONNECT_SECONDS) as app:
        info = _greet(found, app, here.authkey)
        if info is None:
            return
        _compare(found, app, info)
        if _workers(found, app, queue):
            if info["you"]["role"] == Role.VIEWER:
                found.warn("probe", "this key may only look; with a client's key a task is sent as well")
            else:
                with App(here.url, here.authkey, connect_timeout=CONNECT_SECONDS) as sender:
                    _probe(found, sender, queue)
        _disk(found, app.call(("get_master",), "info"))


def _whereabouts(found: Checkup, url: str | None, authkey_file: Path | None) -> Whereabouts | None:
    try:
        authkey = None if authkey_file is None else read_key_file(authkey_file)
        here = discover(url, authkey, Role.CLIENT)
        if authkey_file is not None:
            found.private("key", authkey_file)
    except TqError as error:
        found.fail("key", str(error))
        return None
    if here.url is None:
        found.fail(
            "address",
            f"no master is named: {'; '.join(here.looked)}. Set TQ_URL=tq://host:5000, or start tq dev",
        )
    elif here.authkey is None:
        found.fail(
            "key", f"no key for {here.url}: {'; '.join(here.looked)}. Set TQ_AUTHKEY, or give --authkey-file"
        )
    return here


def _reach(found: Checkup, url: str) -> bool:
    """Name and port, before anything is said."""
    try:
        address = parse_address(url)
        began = time.perf_counter()
        with socket.create_connection(address, CONNECT_SECONDS) as line:
            peer = line.getpeername()[0]
    except socket.gaierror:
        found.fail("address", f"no address is known for the host of {url}; is the name right?")
    except (TqError, OSError) as error:
        found.fail(
            "address",
            f"{url}: {getattr(error, 'strerror', None) or error}; is tq-master running, does its --bind let others in, is a firewall between?",
        )
    else:
        seconds = time.perf_counter() - began
        found.ok("address", f"{address} is {peer}, it answers in {_milliseconds(seconds)}")
        return True
    return False


def _greet(found: Checkup, app: App, authkey: str) -> dict[str, Any] | None:
    """TLS, pin, proof, and what the master says of itself and of the key."""
    try:
        info: dict[str, Any] = app.call(("get_master",), "info")
    except Rejected as error:
        found.fail("key", str(error))
        return None
    except (TqError, TimeoutError) as error:
        found.fail("TLS", str(error))
        return None
    if Credential.parse(authkey).pin is None:
        found.ok("TLS", "1.3; a plain authkey has no pin: whoever holds it could play master")
    else:
        found.ok("TLS", "1.3; the certificate is the one the key was made for")
    if "you" not in info:
        found.warn(
            "key", f"accepted; tq-master {info.get('version')} is too old to say more, bring it to {VERSION}"
        )
        return None
    you = info["you"]
    queues = ", ".join(you["queues"]) or "every queue"
    found.ok("key", f"{you['key']}, role {you['role']}, for {queues}")
    return info


def _compare(found: Checkup, app: App, info: dict[str, Any]) -> None:
    if info["version"] == VERSION:
        found.ok("version", f"{VERSION}, here and on the master")
    else:
        found.warn("version", f"{VERSION} here, {info['version']} on the master; bring both to the newer one")
    trips, differences = [], []
    for _ in range(ROUND_TRIPS):
        began, wall = time.perf_counter(), time.time()
        there = app.call(("get_master",), "info")["wall"]
        trips.append(time.perf_counter() - began)
        differences.append(there - (wall + trips[-1] / 2))
    found.ok("round trip", f"{_milliseconds(median(trips))}, the median of {ROUND_TRIPS}")
    difference = median(differences)
    text = f"the master's is {abs(difference):.3f} s {'ahead' if difference > 0 else 'behind'}"
    if abs(difference) <= CLOCK_SECONDS_MAX:
        found.ok("clock", text)
    else:
        found.warn("clock", f"{text}; ages and due times look wrong by that: let NTP set both")


def _workers(found: Checkup, app: App, queue: str) -> bool:
    workers = [row for row in app.call(("get_workers",), "list") if row["connected"]]
    if not workers:
        found.fail(
            "workers",
            "none is connected; start one: tq-worker --connect HOST:PORT --authkey-file worker.key MODULE",
        )
        return False
    slots, running = (sum(row[name] for row in workers) for name in ("slots", "running"))
    found.ok("workers", f"{len(workers)} connected, {running} of {slots} slots busy")
    if strange := sorted({row["version"] for row in workers} - {VERSION}):
        found.warn(
            "workers", f"some have tq {', '.join(strange)}, here is {VERSION}; bring all to the newest"
        )
    paused = {row["name"]: row["reason"] for row in app.call(("get_queues",), "list") if row["paused"]}
    if queue in paused:
        found.warn(
            "probe", f"the queue {queue} is paused ({paused[queue] or 'no reason given'}); tq resume {queue}"
        )
        return False
    return True


def _probe(found: Checkup, app: App, queue: str) -> None:
    """A task that does nothing. It is taken back when nobody runs it in time."""
    began = time.perf_counter()
    try:
        handle = app.named(PROBE, queue=queue, expires=PROBE_SECONDS).submit()
        stored = time.perf_counter() - began
        try:
            ran = handle.result(timeout=PROBE_SECONDS)
        except TimeoutError:
            handle.cancel()
            found.fail(
                "probe",
                f"nobody ran it within {PROBE_SECONDS:.0f} s: all slots are busy, or no worker takes from {queue}; "
                "tq workers --tasks shows who takes what",
            )
            return
    except TqError as error:
        found.fail("probe", str(error))
        return
    seconds = time.perf_counter() - began
    found.ok(
        "probe",
        f"stored in {_milliseconds(stored)}, back in {_milliseconds(seconds)} from {ran['host']} "
        f"(Python {ran['python']})",
    )


def _disk(found: Checkup, info: dict[str, Any]) -> None:
    free, commit = info.get("disk_free_bytes"), info.get("commit_seconds")
    if free is not None:
        text = f"{free / 1e9:,.1f} GB are free in {info['data']}"
        if free < FREE_BYTES_MIN:
            found.warn("disk", f"{text}; a full disk means that nothing more is accepted")
        else:
            found.ok("disk", text)
    if commit is not None:
        text = f"the slowest commit of late took {_milliseconds(commit)}, durability {info['durability']}"
        if commit > COMMIT_SECONDS_MAX:
            found.warn("commit", f"{text}; everybody waits for it: put the store on a faster disk")
        else:
            found.ok("commit", text)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
