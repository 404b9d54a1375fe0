"""The attempts that are leased at the moment: records shared by what grants, ends and takes back leases. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture
from .routes import ParkedLease


class LeasedAttempt(NamedTuple):
    """One leased attempt: the data of its row that are needed in memory, and the worker that has it."""

    seq: int
    route: int
    attempt: int  # the fence: grows with every lease
    number: int  # of the attempt as shown to people: leases that were returned unstarted are not counted
    lease: bytes
    worker: int  # its number in the store
    suspect: bool  # a worker was lost before while it held this task: see Membership.starting
    origin: int | None = None  # see origins.py; None: it was submitted
    begun: int | None = (
        None  # steady ms at which it began, as reported by its worker; None: not reported, it may wait there
    )


class LeaseReply(NamedTuple):
    """The answer to a lease call: groups of ``[queue, task, timeout, [[id, attempt, payload], …]]``.
    The entry of a suspect, or of an attempt whose number differs from ``attempt``, has these two as well."""

    parked: ParkedLease
    lease: bytes
    groups: list[list[Any]]


class Leases(Part):
    """All leased tasks, by id. Code that grants, ends or takes back a lease changes ``running`` directly, because this happens
    for every task."""

    def __init__(self) -> None:
        self.running: dict[bytes, LeasedAttempt] = {}
        self.cancelling: set[bytes] = set()  # ids of those with a requested cancel; their rows record it too
        self._cancel_listeners: list[Callable[[bytes], None]] = []

    def listen_to_cancels(self, listener: Callable[[bytes], None]) -> None:
        self._cancel_listeners.append(listener)

    def cancel_asked(self, id: bytes) -> None:
        """Have the worker that runs this task cancel it."""
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
