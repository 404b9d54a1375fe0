"""``tq doctor``: every step a line, ok, warning or error with what to do; status 1 when one is an error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ....common.auth.key_files import read_key_file
from ....common.auth.keys import Credential
from ....common.domain.model import Role
from ....common.errors import TqError
from ....common.runtime.checkup import ERROR, Checkup
from ....common.runtime.command_line import print_finding
from ....common.runtime.discovery import discover
from ....common.wire.address import Address, parse_addresses, url_of
from ....common.wire.tls import OwnCa
from ...app import App
from .. import failing
from ..output import print_json
from ..submit import as_argument
from . import cluster, network


@click.command(epilog="Example: tq doctor --probe jobs:square 7")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@click.option("--probe", metavar="MODULE:FUNCTION", help="Send this task with these arguments.")
@click.option("--queue", metavar="NAME", default="default", help="Where to send the task.  [default]")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=15.0, metavar="SECONDS", help="Limit for the task.  [15]"
)
@click.option("--url", metavar="URL", help="The master, tq://host:5000.  [found]")
@click.option("--authkey-file", type=click.Path(path_type=Path), help="The key.  [found]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(
    arguments: tuple[str, ...],
    probe: str | None,
    queue: str,
    timeout: float,
    url: str | None,
    authkey_file: Path | None,
    as_json: bool,
) -> None:
    """Check everything between here and a finished task, and show what to do.

    Address, TLS, key, versions, clocks, round trip, the master's disk, workers, and
    a task that does nothing, through a worker; or --probe, with the arguments given.
    Exit status 1 when something is wrong.
    """
    if arguments and probe is None:
        raise click.UsageError("arguments are for a task; name it by --probe MODULE:FUNCTION")
    found = Checkup()
    if not as_json:
        # Each line as it is found: a check may wait for seconds.
        found.on_finding = print_finding
    _examine(found, url, authkey_file, probe, queue, [as_argument(text) for text in arguments], timeout)
    if as_json:
        print_json([asdict(one) for one in found.findings])
    if found.failed:
        raise SystemExit(failing.FAILED)


def _examine(
    found: Checkup,
    url: str | None,
    authkey_file: Path | None,
    probe: str | None,
    queue: str,
    args: list[Any],
    timeout: float,
) -> None:
    """Each step depends on the one before: the first failure is the one to fix."""
    addresses, authkey = _settings(found, url, authkey_file)
    credential = None
    if authkey is not None:
        try:
            credential = Credential.parse(authkey)
        except TqError as error:
            found.fail("key", str(error))
    if not _look_at_network(found, addresses, credential) or credential is None:
        return
    # As a viewer first: any key may look, and what it may besides is a finding.
    with _app(addresses, authkey, Role.VIEWER) as app:
        role = cluster.look_at_key(found, app)
        if role is None:
            return
        try:
            ready = cluster.look_at_master(found, app) and cluster.look_at_queue(found, app, queue)
        except (TqError, TimeoutError) as error:
            found.fail("master", str(error))
            return
    if not ready:
        return
    if role == Role.VIEWER:
        found.warn("probe", "this key may only look; with a client's key a task is sent as well")
        return
    with _app(addresses, authkey, Role.CLIENT) as app:
        try:
            cluster.look_at_tasks(found, app, probe, queue, args, timeout)
        except (TqError, TimeoutError) as error:
            found.fail("probe", str(error))


def _look_at_network(found: Checkup, addresses: Sequence[Address], credential: Credential | None) -> bool:
    """Whether a master can be reached. Of several one is enough: that another one does not answer is a warning."""
    if len(addresses) < 2:
        return all(network.look(found, address, credential, _own_ca()) for address in addresses) and bool(
            addresses
        )
    looked = []
    for address in addresses:
        looked.append(Checkup())
        network.look(looked[-1], address, credential, _own_ca())
    some = not all(one.failed for one in looked)
    for finding in (finding for one in looked for finding in one.findings):
        if finding.level != ERROR:
            found.ok(finding.about, finding.text)
        elif some:
            found.warn(finding.about, finding.text)
        else:
            found.fail(finding.about, finding.text)
    return some


def _app(addresses: Sequence[Address], authkey: str | None, role: Role) -> App:
    return App(url_of(addresses), authkey, role=role, connect_timeout=network.CONNECT_SECONDS)


def _settings(
    found: Checkup, url: str | None, authkey_file: Path | None
) -> tuple[tuple[Address, ...], str | None]:
    """The masters and the key, found as any command finds them."""
    try:
        given = None if authkey_file is None else read_key_file(authkey_file)
        there = discover(url, given, Role.VIEWER)
        if there.url is None:
            remedy = "give --url tq://HOST:PORT, set TQ_URL, or run `tq dev FILE.py` here"
            found.fail("address", f"no master is named: {'; '.join(there.looked)}; {remedy}")
            return (), None
        addresses = parse_addresses(there.url)
        if authkey_file is not None:
            found.private("key", authkey_file)
    except TqError as error:
        found.fail("settings", str(error))
        return (), None
    if there.authkey is None:
        found.fail(
            "key",
            f"there is none: {'; '.join(there.looked)}; give --authkey-file FILE or set TQ_AUTHKEY: tq-master names "
            "its keys when it starts, `tq keys add --role client` makes one",
        )
    return addresses, there.authkey


def _own_ca() -> OwnCa:
    files = [os.environ.get(name) for name in ("TQ_CA_FILE", "TQ_CERTIFICATE_FILE")]
    return OwnCa(*(Path(file) if file else None for file in files))
