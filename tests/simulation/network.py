"""Links as TCP gives them: ordered bytes each way, with delay, that may stall, fall silent, or be cut.

A peer learns of a cut only if the cut is a reset, or if the other process dies while the link is whole;
a link that has fallen silent loses what is sent without a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from tq.common.wire.address import Address

from .world import MS, Process, World

MASTER: Final = Address("master", 5000)


class End:
    """One side of a link. Its owner sets ``received`` and ``lost``."""

    def __init__(self, link: Link, process: Process) -> None:
        self._link, self.process = link, process
        self.received: Callable[[bytes], None] = lambda data: None
        self.lost: Callable[[str], None] = lambda reason: None
        self.other: End = self
        self.open = True
        self._ready_at = 0  # nothing arrives before what was sent before it

        self.deaf = False  # what arrives only fills a record whose length was damaged

    def send(self, data: bytes) -> None:
        if self.open:
            self._link.carry(self, data)

    def close(self) -> None:
        """Orderly: what was sent arrives, then the end."""
        if self.open:
            self.open = False
            self._link.finish(self)

    def drop(self) -> None:
        """The owner's process has died: its kernel closes the socket."""
        self.close()

    def deliver(self, at: int, action: Callable[[], None]) -> None:
        world = self._link.world
        self._ready_at = max(self._ready_at, at)
        world.schedule(self._ready_at - world.now, self.process, action)


class Link:
    def __init__(self, network: Network, client: Process, server: Process) -> None:
        self.network, self.world = network, network.world
        self.client, self.server = End(self, client), End(self, server)
        self.client.other, self.server.other = self.server, self.client
        self.silent = False  # a firewall forgot it, a host lost its power: nothing arrives any more
        self.stalled_until = 0

    def carry(self, sender: End, data: bytes) -> None:
        if self.silent:
            return
        receiver = sender.other
        pieces = [data]
        if len(data) > 1 and self.world.chance(0.1):  # a stream has no messages
            cut = self.world.between(1, len(data) - 1)
            pieces = [data[:cut], data[cut:]]
        for piece in pieces:
            at = max(self.world.now + self.network.delay(), self.stalled_until)
            receiver.deliver(at, partial(self._arrive, receiver, piece))

    def _arrive(self, receiver: End, piece: bytes) -> None:
        if receiver.open and not self.silent and not receiver.deaf:
            receiver.received(piece)

    def finish(self, sender: End) -> None:
        if self.silent:
            return
        at = max(self.world.now + self.network.delay(), self.stalled_until)
        sender.other.deliver(at, lambda: self.end(sender.other, "it closed the connection"))

    def end(self, end: End, reason: str) -> None:
        if end.open:
            end.open = False
            end.lost(reason)

    def damage(self, receiver: End, *, silent: bool) -> None:
        """A record on its way to one side is damaged: its length, so that what follows only fills it, or its content,
        which ends that side at once. ``silent``: its peer's host is gone, too, and never learns of it."""
        if self.world.chance(0.5):
            receiver.deaf = True
        else:
            receiver.deliver(self.world.now + self.network.delay(), lambda: self.end(receiver, "TLS broke"))
            if not silent:
                self.finish(receiver)
        self.silent |= silent

    def reset(self) -> None:
        """Both sides learn of it; what was under way is gone."""
        self.silent = True
        for end in (self.client, self.server):
            self.world.schedule(self.network.delay(), end.process, partial(self.end, end, "reset"))


Accept = Callable[[End, object], None]


class Network:
    """Who listens, and how slow the wires are at the moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.addresses = [MASTER]  # that are given to clients and workers
        self.doors: dict[Address, tuple[Accept, Process]] = {}  # the masters that listen
        self.links: list[Link] = []
        self.slowest = 2 * MS

    def delay(self) -> int:
        return self.world.between(50, self.slowest)

    def connect(self, process: Process, greeting: object, address: Address = MASTER) -> End | None:
        """A link to a master; None when it does not listen. ``greeting``: who comes, shown and proven."""
        door = self.doors.get(address)
        if door is None:
            return None
        accept, listener = door
        self.links = [link for link in self.links if link.client.open or link.server.open]
        link = Link(self, process, listener)
        self.links.append(link)
        server = link.server
        server.deliver(self.world.now + self.delay(), lambda: accept(server, greeting))
        return link.client
