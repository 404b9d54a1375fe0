"""The records of what is leased at the moment. Pure data, shared by those who grant, end and take back."""

from __future__ import annotations

from typing import Any, NamedTuple

from .routes import ParkedLease


class Running(NamedTuple):
    """One leased attempt: what the store's row says of it, and whom it was given to."""

    seq: int
    lane: int
    attempt: int  # the fence: grows with every lease
    number: int  # of this attempt as people count, which leaves out the leases that came back unstarted
    lease: bytes
    worker: int  # its number in the store
    suspect: bool  # a worker died before while it held this task: see Roster.starting
    origin: int | None = None  # see origins.py; None: it was submitted
    begun: int | None = (
        None  # steady ms at which it began, as its worker told; None: not told, it may wait there
    )


class Grant(NamedTuple):
    """What a lease call is answered with: groups of ``[queue, task, timeout, [[id, attempt, payload], …]]``.
    An entry that is a suspect, or whose number is not its attempt's, says both behind that."""

    parked: ParkedLease
    lease: bytes
    groups: list[list[Any]]
