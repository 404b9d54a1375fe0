"""``tq-worker check``: everything that a start needs is checked, and nothing is changed. The user's modules are imported, in a
process of their own as always; the key is tried on a connection to the master that is closed at once.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from ..common.auth.key_files import take_authkey
from ..common.auth.keys import Credential
from ..common.domain.model import NODE_ID_BYTES, Role
from ..common.errors import NotOwner, Rejected, TqError
from ..common.runtime.checkup import Checkup
from ..common.runtime.config import WorkerSettings
from ..common.wire.address import Address
from ..common.wire.connection import CallerConnection
from ..common.wire.tls import OwnCa, client_context
from .agent.announcement import applied_queues, served_queues
from .supervisor.supervisor import Supervisor

GREETING_SECONDS: Final = 5.0
IMPORT_SECONDS: Final = 60.0
TASKS_SHOWN: Final = 20


async def check(settings: WorkerSettings, authkey: str | None) -> Checkup:
    found = Checkup()
    credential = _check_key(found, settings, authkey)
    certificates = _check_certificates(found, settings)
    if credential is not None and certificates:
        answers = [await _check_master(found, settings, credential, address) for address in settings.connect]
        # A master that refuses the key has said why already.
        if not any(answers) and not found.failed:
            found.fail(
                "master",
                "no master answers; start it, or correct --connect. A worker would keep trying",
            )
    await _check_modules(found, settings)
    _check_slots(found, settings)
    found.http(settings.http)
    found.descriptors()
    return found


def _check_key(found: Checkup, settings: WorkerSettings, authkey: str | None) -> Credential | None:
    try:
        key = take_authkey(authkey, settings.authkey_file)
        if key is None:
            found.fail("key", "no key; give --authkey-file FILE, or set TQ_AUTHKEY")
            return None
        credential = Credential.parse(key)
    except TqError as error:
        found.fail("key", str(error))
        return None
    if settings.authkey_file is not None:
        found.private("key", settings.authkey_file)
    found.ok("key", "a plain authkey" if credential.pin is None else f"join token {credential.key_id}")
    return credential


def _check_certificates(found: Checkup, settings: WorkerSettings) -> bool:
    if settings.ca_file is None and settings.certificate_file is None:
        return True
    found.attempt(
        "certificates",
        lambda: client_context(settings.ca_file, settings.certificate_file),
        "authority and certificate can be read",
    )
    return not found.failed


async def _check_master(
    found: Checkup, settings: WorkerSettings, credential: Credential, address: Address
) -> bool:
    """Whether it answers, and accepts the key."""
    opening = CallerConnection.open(
        address,
        credential,
        role=Role.WORKER,
        node=os.urandom(NODE_ID_BYTES),
        own_ca=OwnCa(settings.ca_file, settings.certificate_file),
    )
    try:
        connection = await asyncio.wait_for(opening, GREETING_SECONDS)
    except Rejected as error:
        found.fail("master", f"{address}: {error}")
    except NotOwner as error:
        found.ok("master", f"{address}: {error}")
    except (TqError, TimeoutError) as error:
        found.warn("master", f"{address}: {str(error) or 'no answer'}")
    else:
        found.ok("master", f"{address}: tq-master {connection.welcome.server_version} accepts the key")
        connection.close("it only checked the key")
        return True
    return False


async def _check_modules(found: Checkup, settings: WorkerSettings) -> None:
    for pattern in settings.allow:
        found.warn("allow", f"any client can run any callable that {pattern} matches")
    if settings.allow_shell:
        found.warn("allow_shell", "any client can run any program as this user")
    if settings.http_private:
        found.warn("http_private", "any client can read what this worker's network serves over HTTP")
    if settings.apply is not None:
        found.attempt("apply", lambda: applied_queues(settings), "the queues are named")
    if not settings.sources:
        if not settings.allow:
            found.fail("tasks", "nothing to serve; name a module or a file: tq-worker check myapp.tasks")
        return
    supervisor = Supervisor(settings, _NO_KEY, lambda action, **_: None)
    try:
        await asyncio.wait_for(supervisor.load(), IMPORT_SECONDS)
    except TimeoutError:
        found.fail(
            "tasks", f"importing {', '.join(settings.sources)} takes longer than {IMPORT_SECONDS:.0f} s"
        )
    except TqError as error:
        found.fail("tasks", str(error))
    else:
        names = [f"{name}  (queue {queue})" for name, queue in supervisor.tasks]
        more = [f"… and {len(names) - TASKS_SHOWN} more"] if len(names) > TASKS_SHOWN else []
        found.ok("tasks", "\n".join([*names[:TASKS_SHOWN], *more]))
    finally:
        supervisor.stop()
        supervisor.close()


def _check_slots(found: Checkup, settings: WorkerSettings) -> None:
    cores = os.cpu_count() or 1
    queues = ", ".join(served_queues(settings)) or "every queue the key may read"
    if settings.pools:
        found.ok("pools", f"{', '.join(map(str, settings.pools))} on {cores} cores, for {queues}")
    elif settings.autoscale is not None:
        least, most = settings.autoscale
        found.ok("autoscale", f"{least} to {most} processes on {cores} cores, for {queues}")
    else:
        found.ok("slots", f"{settings.slots} processes on {cores} cores, for {queues}")


_NO_KEY: Final = Credential.parse("a key that is never sent to a master")
