"""A greenlet that does not wait for anything: who it is, and how it is ended."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tq.common.domain.model import OutcomeNumber
from tq.worker.pools.concurrent import GeventHandle

from ..pools.test_process import Nursery, gate, pass_gate
from .test_concurrent_gevent import with_child

__all__ = ["gate"]


def test_code_that_does_not_wait_is_named_by_the_page_and_struck_by_a_signal(gate: Path) -> None:
    async def test(one: Nursery) -> None:
        [ordinal] = one.send(("keep", str(gate)))
        await pass_gate(gate, os.O_RDONLY)
        assert isinstance(one.child, GeventHandle)
        assert one.child.beat()[1] == ordinal
        one.child.notify(ordinal, "cancel")
        reported = asyncio.ensure_future(one.report(ordinal))
        while not reported.done():  # as the watchdog does, again and again
            one.child.notify(ordinal, "strike")
            await asyncio.wait({reported}, timeout=0.05)
        assert one.reports[ordinal].outcome == OutcomeNumber.CANCELLED

    with_child(test)
