"""``tq-master check``: examines everything that a start needs, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Final

from ..common.auth.certificate import CERTIFICATE_FILE, KEY_FILE, certificate_der
from ..common.auth.key_files import take_masters_authkey
from ..common.auth.keys import check_authkey_strength
from ..common.domain.naming import load_callable
from ..common.errors import ConfigError, TqError
from ..common.runtime.checkup import Checkup, is_writable, nearest_existing
from ..common.runtime.config import MasterSettings
from ..common.runtime.logs import SENTENCES
from ..common.wire.address import Address, is_loopback
from ..common.wire.tls import server_context
from .check_database import check_database
from .check_shards import check_shards
from .gateway.options import GatewayArguments, check_ports, read_options
from .joining import ending
from .keys.own_keys import fits, read, unknown
from .net.ports import why_not_listening
from .parts import EXPOSED
from .store.cluster_files import (
    DEFAULT_START,
    KNOWS_NONE,
    NEW_CERTIFICATE,
    OWN_KEYS,
    STORE_FILE,
    StartOptions,
    certificate_problem,
    key_file,
    log_of,
    lost_store,
    problems,
    traces,
)
from .store.data_directory import fault
from .store.directory_lock import holder
from .store.sqlite.inspection import HEADER_BYTES, SECONDS_MAX, header_problem, inspect, version_in

FREE_BYTES_MIN: Final = 1_000_000_000  # less is soon full


def check(
    settings: MasterSettings,
    authkey: str | None,
    gateway: GatewayArguments,
    start: StartOptions = DEFAULT_START,
) -> Checkup:
    found = Checkup()
    # A master that runs here has its ports bound, which is not a fault of the settings.
    running = holder(settings.data)
    if running is None:
        for number in range(settings.processes if settings.bind.port else 1):
            at = settings.bind
            found.port("address", at if not number else Address(at.host, at.port + number), why_not_listening)
        found.http(settings.http)
    _check_gateway(found, settings, gateway, running)
    _check_data(found, settings, running)
    own_keys = authkey is None and settings.authkey_file is None
    in_file = settings.durability != "memory" and settings.store is None
    for problem in problems(settings.data, durable=in_file, own_keys=own_keys, start=start):
        found.fail("data", problem)
    if settings.store is None:
        _check_store(found, settings, start, own_keys=own_keys)
    else:
        check_database(
            found, settings, start, settings.store, _schema_version(), is_running=running is not None
        )
    _check_keys(found, settings, authkey)
    _check_certificate(found, settings)
    _check_exposed(found, settings)
    found.descriptors()
    return found


def _check_gateway(
    found: Checkup, settings: MasterSettings, arguments: GatewayArguments, running: str | None
) -> None:
    try:
        gateway_options = read_options(arguments)
        if gateway_options is not None and settings.processes > 1:
            check_ports(gateway_options, settings.bind, settings.processes)
    except ConfigError as error:
        found.fail("gateway", str(error))
        return
    if gateway_options is None:
        return
    if arguments.key_file is not None:
        found.private("gateway", arguments.key_file)
    if gateway_options.address in (settings.bind, settings.http) and gateway_options.address.port:
        found.fail(
            "gateway",
            f"{gateway_options.address} is this master's own already; choose another with --gateway",
        )
    elif running is None:
        for number in range(settings.processes):
            its = gateway_options.of_process(number, settings.processes).address
            found.port("gateway", its, lambda at, error: why_not_listening(at, error, "--gateway"))
    if not is_loopback(gateway_options.address.host):
        found.warn(
            "gateway",
            f"connections to {gateway_options.address} are not encrypted: others on the way can read and alter what clients send",
        )


def _check_data(found: Checkup, settings: MasterSettings, running: str | None) -> None:
    data = settings.data
    if running is not None:
        found.fail(
            "data", f"another tq-master (process {running}) uses {data}; stop it, or choose another --data"
        )
        return
    there = nearest_existing(data)
    if not is_writable(there):
        what = "is not writable for this user" if there == data.absolute() else f"cannot be made in {there}"
        found.fail("data", f"{data} {what}; chown it, or choose another with --data")
        return
    if (problem := fault(data)) is not None:
        found.fail("data", problem)
        return
    free = shutil.disk_usage(there).free
    room = f"{free / 1e9:,.1f} GB are free"
    if free < FREE_BYTES_MIN:
        found.warn("data", f"{data}: only {room}; a full disk means that nothing more is accepted")
    else:
        found.ok("data", f"{data} {'is there' if data.exists() else 'will be made'}; {room}")


def _check_store(found: Checkup, settings: MasterSettings, start: StartOptions, *, own_keys: bool) -> None:
    if settings.durability == "memory":
        found.warn("store", "durability is memory: nothing survives this process")
        return
    file, newest = settings.data / STORE_FILE, _schema_version()
    try:
        with file.open("rb") as store:
            # The header alone, without SQLite: opening it would take locks, and could change the file.
            header = store.read(HEADER_BYTES)
    except FileNotFoundError:
        if start.new_store or not traces(settings.data, log=True):
            found.ok("store", f"{file} will be made")
        return
    except OSError as error:
        found.fail("store", f"cannot read {file}: {error.strerror}")
        return
    version = version_in(header)
    if (problem := header_problem(file, header, newest)) is not None:
        found.fail("store", problem)
    elif header:
        log = log_of(file)  # what is in it is newer than the header: nothing is sure then
        will = (
            ""
            if version == newest or (log.exists() and log.stat().st_size)
            else f"; it will be brought from version {version} to {newest}: keep a copy"
        )
        found.ok(
            "store", f"{file}, {file.stat().st_size / 1e6:,.1f} MB, durability {settings.durability}{will}"
        )
        _inspect(found, settings, file, start, own_keys=own_keys)


def _inspect(
    found: Checkup, settings: MasterSettings, file: Path, start: StartOptions, *, own_keys: bool
) -> None:
    """What SQLite finds in it, whether certificate and keys are its own, and the same of the other shards."""
    seen, data = inspect(file), settings.data
    if seen.wrong:
        found.fail("store", f"{file}: {seen.wrong}")
    elif not seen.whole:
        found.warn(
            "store", f"nothing damaged was found in {SECONDS_MAX:g} s; the rest of the file was not read"
        )
    else:
        found.ok("store", "SQLite finds it whole (quick_check)")
    if seen.facts is None:
        return
    check_shards(found, settings, start, seen.facts, _schema_version())
    there = [] if seen.facts.knows_cluster or start.new_store else traces(data)
    if there:
        found.fail("store", lost_store(file, KNOWS_NONE, there))
        return
    try:
        problem = certificate_problem(seen.facts.pin, data, str(file), start)
    except ConfigError:
        problem = None  # it is none: see below
    if problem is not None:
        found.fail("certificate", problem)
    for key in _readable_keys(settings) if own_keys else []:
        credential = read(key)
        if credential is not None and not fits(credential, seen.facts.stored_keys):
            found.fail("key", unknown(key, data))


def _readable_keys(settings: MasterSettings) -> list[Path]:
    """Of the keys that a master makes for itself, the files that hold one. ``problems`` names what is wrong with the others."""
    keys = []
    for role in OWN_KEYS:
        with suppress(ConfigError, OSError):
            if read(key_file(settings.data, role)) is not None:
                keys.append(key_file(settings.data, role))
    return keys


def _schema_version() -> int:
    folder = resources.files(__package__).joinpath("store/sqlite/migrations")
    return sum(file.name.endswith(".sql") for file in folder.iterdir())


def _check_keys(found: Checkup, settings: MasterSettings, authkey: str | None) -> None:
    try:
        key, is_passed_over = take_masters_authkey(authkey, settings.authkey_file)
    except ConfigError as error:
        found.fail("key", str(error))
        return
    if is_passed_over:
        found.warn("key", f"TQ_AUTHKEY: {SENTENCES['authkey.passed_over']}")
    if settings.authkey_file is not None:
        found.private("key", settings.authkey_file)
    if key is not None:
        found.attempt(
            "key",
            lambda: check_authkey_strength(key, settings.bind.host),
            "one authkey for all programs, long enough",
        )
        return
    files = [key_file(settings.data, role) for role in OWN_KEYS]
    for file in files:
        try:
            read(file)
        except (ConfigError, OSError) as error:
            found.fail("key", str(error))
    missing = [file.name for file in files if not file.exists()]
    for file in files:
        found.private("key", file)
    there = f"{', '.join(missing)} will be made" if missing else ", ".join(file.name for file in files)
    found.ok("key", f"keys by role in {settings.data}: {there}")


def _check_certificate(found: Checkup, settings: MasterSettings) -> None:
    certificate, key = settings.data / CERTIFICATE_FILE, settings.data / KEY_FILE
    if certificate.exists() != key.exists():
        there, missing = (certificate, key) if certificate.exists() else (key, certificate)
        found.fail(
            "certificate",
            f"{there} is there but {missing.name} is not; restore it, or remove both and say {NEW_CERTIFICATE}",
        )
    elif certificate.exists():
        found.private("certificate", key)
        found.attempt("certificate", lambda: certificate_der(certificate), f"{certificate} can be read")
        try:
            if (text := ending(certificate)) is not None:
                found.warn("certificate", text)
        except ConfigError as error:
            if not found.failed:
                found.fail("certificate", str(error))
        found.attempt(
            "TLS",
            lambda: server_context(certificate, key, settings.client_ca_file),
            "certificate and key fit",
        )
    else:
        found.ok("certificate", f"{certificate} will be made")
    if settings.client_ca_file is not None:
        ca = settings.client_ca_file
        found.attempt(
            "client CA", lambda: certificate_der(ca), f"who connects must have a certificate of {ca}"
        )


def _check_exposed(found: Checkup, settings: MasterSettings) -> None:
    if settings.expose:
        sys.path.insert(0, os.getcwd())  # as at a start
    for name, callable_name in settings.expose.items():
        if name in EXPOSED:
            found.fail("expose", f"{name}: this name is built in; choose another")
            continue
        try:
            load_callable(callable_name)
        except TqError as error:
            found.fail("expose", f"{name}: {error}")
        except Exception as error:  # the user's module itself
            found.fail("expose", f"{name}: importing {callable_name} raises {type(error).__name__}: {error}")
        else:
            found.ok("expose", f"{name} is {callable_name}")
