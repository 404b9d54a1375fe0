"""What is leased at the moment: records shared by what grants, ends and takes back leases. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture
from .routes import ParkedLease


class LeasedAttempt(NamedTuple):
    """One leased attempt: what the store's row says of it, and whom it was given to."""

    seq: int
    route: int
    attempt: int  # the fence: grows with every lease
    number: int  # of this attempt as people count, which leaves out the leases that came back unstarted
    lease: bytes
    worker: int  # its number in the store
    suspect: bool  # a worker died before while it held this task: see Membership.starting
    origin: int | None = None  # see origins.py; None: it was submitted
    begun: int | None = (
        None  # steady ms at which it began, as its worker told; None: not told, it may wait there
    )


class LeaseReply(NamedTuple):
    """What a lease call is answered with: groups of ``[queue, task, timeout, [[id, attempt, payload], …]]``.
    An entry that is a suspect, or whose number is not its attempt's, says both behind that."""

    parked: ParkedLease
    lease: bytes
    groups: list[list[Any]]


class Leases(Part):
    """All leased tasks, by id. Code that grants, ends or takes back a lease changes ``running`` directly, since this happens for every task."""

    def __init__(self) -> None:
        self.running: dict[bytes, LeasedAttempt] = {}
        self.cancelling: set[bytes] = set()  # those whose cancel was asked for; in their rows, too
        self._cancel_listeners: list[Callable[[bytes], None]] = []

    def listen_to_cancels(self, listener: Callable[[bytes], None]) -> None:
        self._cancel_listeners.append(listener)

    def cancel_asked(self, id: bytes) -> None:
        """The worker that has this task is to end it."""
        for listener in self._cancel_listeners:
            listener(id)

    def load(self, picture: Picture, now: Now) -> None:
        self.running.clear()
        self.cancelling.clear()
        for row in picture.running:
            number = row.attempt - row.returned
            self.running[row.id] = LeasedAttempt(
                row.seq, row.route, row.attempt, number, row.lease, row.worker, False, row.origin
            )
            if row.cancel:
                self.cancelling.add(row.id)
