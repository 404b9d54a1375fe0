"""A door of a master that stands by, for as long as one visit takes."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.auth.keys import Credential
from tq.common.wire.address import Address
from tq.common.wire.tls import server_context
from tq.master.standby.door import StandbyDoor

NODE = b"n" * 16
SECONDS = 45.0  # of a busy machine
UNUSED = Address("127.0.0.1", 1)  # where nothing listens


@cache
def identity() -> tuple[ssl.SSLContext, Credential]:
    """What the doors of this process show, and a key that pins it."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = ensure_certificate(Path(folder))
        pin = fingerprint(certificate_der(certificate))
        return server_context(certificate, key), Credential(key_id="k", secret=b"s" * 32, pin=pin)


def at_door(owner: Address | None, visit: Callable[[Address, StandbyDoor], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        door = StandbyDoor(identity()[0], lambda: owner, lambda *args, **fields: None)
        where = Address(*(await door.listen("127.0.0.1", 0))[0])
        try:
            return await visit(where, door)
        finally:
            door.close()

    return asyncio.run(run())
