"""One line: what it knows of its connection."""

from __future__ import annotations

import asyncio

import tq
from tq.client.core.outage import Outage
from tq.client.core.shard_line import ShardLine

from .test_io_thread import ManualOpener


class WatchedLine:
    """A line, and events of what it says of its connection."""

    def __init__(self, opener: ManualOpener) -> None:
        self.opened, self.emptied, self.errors = asyncio.Event(), asyncio.Event(), list[tq.TqError]()
        self.trying: list[float] = []
        self.line = ShardLine(
            opener.open,
            "default",
            0.1,
            opened=lambda transport: self.opened.set(),
            emptied=self._failed,
            deliver=lambda box, slices: None,
            outage=Outage(),
        )
        self.serving = asyncio.create_task(self.line.serve())

    def _failed(self, error: tq.TqError) -> None:
        self.trying.append(self.line.trying_seconds)
        self.line.is_wanted = False
        self.errors.append(error)
        self.emptied.set()


def test_a_line_that_is_wanted_connects_without_a_call() -> None:
    async def main() -> None:
        opener = ManualOpener()
        watched = WatchedLine(opener)
        watched.line.flush()
        await asyncio.sleep(0)
        assert opener.attempts == 0
        watched.line.is_wanted = True
        watched.line.flush()
        await watched.opened.wait()
        assert (opener.attempts, watched.line.away_seconds) == (1, 0.0)
        watched.serving.cancel()

    asyncio.run(main())


def test_it_counts_how_long_it_has_tried_in_vain_and_says_why_it_gave_up() -> None:
    async def main() -> None:
        opener = ManualOpener()
        opener.always = tq.Unreachable("refused")
        watched = WatchedLine(opener)
        assert watched.line.trying_seconds == 0.0
        watched.line.is_wanted = True
        watched.line.flush()
        await watched.emptied.wait()
        [error], [seconds] = watched.errors, watched.trying
        assert str(error).startswith("refused")
        assert seconds > 0.0
        await asyncio.sleep(0)
        assert watched.line.trying_seconds == 0.0
        watched.serving.cancel()

    asyncio.run(main())


def test_a_connection_is_silent_from_the_probe_until_anything_comes() -> None:
    async def main() -> None:
        opener = ManualOpener()
        watched = WatchedLine(opener)
        line = watched.line
        line.probe()  # there is nothing to probe
        line.is_wanted = True
        line.flush()
        await watched.opened.wait()
        transport = opener.transport()
        assert (line.silent_seconds, transport.probes) == (0.0, 0)
        line.probe()
        assert line.silent_seconds > 0
        line.probe()
        assert transport.probes == 1  # its answer is waited for already
        transport.gives_signs = True
        assert line.silent_seconds == 0.0
        line.probe()
        assert transport.probes == 2
        watched.serving.cancel()

    asyncio.run(main())
