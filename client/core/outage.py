"""What a program's log says of connections that are lost: once when the first one is, and once when all of them are back.

Back is a connection over which a call was answered: a master that is about to end, or does not own its shard any more, admits a caller
and closes again.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable

log = logging.getLogger("tq.client")


class Outage:
    """Of the lines of one I/O thread, in which all of it runs."""

    def __init__(self) -> None:
        self.away: set[Hashable] = set()  # looked at for every answer

    def lost(self, line: Hashable, reason: str) -> None:
        """With calls that are open."""
        if not self.away:
            log.warning("%s; open calls continue as soon as there is a connection again", reason)
        self.away.add(line)

    def back(self, line: Hashable) -> None:
        """A call was answered there."""
        if line in self.away:
            self.away.remove(line)
            if not self.away:
                log.info("connected again")
