"""The records of what is leased at the moment. Pure data, shared by those who grant, end and take back."""

from __future__ import annotations

from typing import Any, NamedTuple

from .lanes import ParkedLease


class Running(NamedTuple):
    """One leased attempt: what the store's row says of it, and whom it was given to."""

    seq: int
    lane: int
    attempt: int
    lease: bytes
    worker: int  # its number in the store
    suspect: bool  # a worker died before while it held this task: see Roster.starting


class Grant(NamedTuple):
    """What a lease call is answered with: groups of ``[queue, task, timeout, [[id, attempt, payload], …]]``."""

    parked: ParkedLease
    lease: bytes
    groups: list[list[Any]]
