"""The end of a worker's children: those that served tasks may have something to close, and are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from ..pools.interface import Runner


class LastChildren:
    """Of a worker that has ended. A child that was killed, or has served nothing yet, is not waited for."""

    def __init__(self) -> None:
        self.is_killed = False
        self._gone = asyncio.Event()

    def left(self, runners: Collection[Runner]) -> None:
        """These are left now."""
        if not any(one.ready for one in runners):
            self._gone.set()

    async def wait(self, runners: Collection[Runner], seconds: float) -> None:
        """Until all have ended, and no longer than this: their processes die with the worker's."""
        self.left(runners)
        if not self.is_killed:
            # ``wait`` and not ``wait_for``: the end of the time is not an error.
            await asyncio.wait([asyncio.ensure_future(self._gone.wait())], timeout=seconds)
