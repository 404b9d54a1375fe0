"""Which of several processes of one master this is: the shards that it hosts, where it listens, and who has the others.

::

    process K of N  hosts the shards K, K + N, K + 2 N, …  and listens on the port of the first one + K

The one that starts them says it in a variable, which is no setting.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Final, NamedTuple

from ..common.runtime.config import MasterSettings
from ..common.wire.address import Address
from .process_bells import BellDescriptors

VARIABLE: Final = "TQ_MASTER_PROCESS"


class ProcessPlace(NamedTuple):
    """``ports``: where each process listens; ``addresses``: where others are sent to it; ``bells``: how they wake one another."""

    number: int
    ports: tuple[int, ...]
    addresses: tuple[str, ...]
    bells: BellDescriptors | None = None

    @property
    def of(self) -> int:
        return len(self.ports)

    def shards(self, count: int) -> range:
        """Those that it hosts, of so many."""
        return range(self.number, count, self.of)

    def owner(self, shard: int) -> str:
        """The address of the process that hosts a shard."""
        return self.addresses[shard % self.of]

    def settings(self, given: MasterSettings) -> MasterSettings:
        """As this process has them: a port of its own; the page is started by the first."""
        http = given.http
        if http is not None and http.port:
            http = Address(http.host, http.port + self.number)
        return replace(
            given,
            bind=Address(given.bind.host, self.ports[self.number]),
            http=http,
            web=given.web if self.number == 0 else None,
        )

    def variable(self) -> str:
        return json.dumps([self.number, self.ports, self.addresses, self.bells])


def take_place(environment: MutableMapping[str, str]) -> ProcessPlace | None:
    """What the variable says, which no other program gets; None: this is the only process, or the one that starts them."""
    text = environment.pop(VARIABLE, "")
    if not text:
        return None
    number, ports, addresses, bells = json.loads(text)
    inherited = None if bells is None else BellDescriptors(bells[0], tuple(bells[1]))
    return ProcessPlace(number, tuple(ports), tuple(addresses), inherited)
