"""One attempt as a worker holds it, and what came of it. Pure records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import starmap
from types import NoneType
from typing import Any, Final, NamedTuple

from ...common.contract.workers import GrantRow, HeldRow
from ...common.domain.model import OutcomeNumber
from ...common.errors import ProtocolError
from ...common.values.failure import show_bytes

OUTCOMES: Final = frozenset(OutcomeNumber)
USUAL_FIELDS: Final = len(GrantRow._fields) - len(GrantRow._field_defaults)


@dataclass(slots=True, eq=False)
class Job:
    """A leased attempt. ``ordinal`` numbers the handing over to a child: 0 while it waits."""

    id: bytes
    attempt: int
    lease: bytes
    queue: str
    name: str
    timeout: float | None
    payload: bytes
    suspect: bool = False
    number: int = 1  # of this attempt as people count; ``attempt`` counts leases and is the fence
    ordinal: int = 0
    cancelled: bool = False

    @property
    def key(self) -> tuple[bytes, int]:
        """No other job in hand is of the same attempt of the same task."""
        return self.id, self.attempt

    @property
    def held(self) -> list[Any]:
        """As ``announce`` and ``release`` name it."""
        return list(HeldRow(self.id, self.attempt, self.lease))

    def to_child(self) -> list[Any]:
        """As a child is given it."""
        return [
            self.ordinal,
            self.id,
            self.attempt,
            self.name,
            self.queue,
            self.lease,
            self.timeout,
            self.payload,
            self.number,
        ]


def granted_jobs(lease: bytes, groups: list[list[Any]]) -> list[Job]:
    """The jobs of a lease reply. Nearly always all are as usual: for those no record is made besides the job."""
    jobs: list[Job] = []
    for queue, name, timeout, entries in groups:
        if set(map(len, entries)) == {USUAL_FIELDS}:
            jobs += [
                Job(id, attempt, lease, queue, name, timeout, payload, False, attempt)
                for id, attempt, payload in entries
            ]
            continue
        for grant in starmap(GrantRow, entries):
            number = grant.attempt if grant.number is None else grant.number
            what = queue, name, timeout, grant.payload, grant.suspect, number
            jobs.append(Job(grant.id, grant.attempt, lease, *what))
    return jobs


class JobReport(NamedTuple):
    """What a child says of one job."""

    ordinal: int
    outcome: int
    body: bytes | None
    started: float  # Unix seconds
    seconds: float
    after: float | None
    blobs: list[bytes] | None = None  # hashes of the content that the result names; the master has it


REPORT_FIELDS: Final = 6  # behind them, if there is any: the last progress, the content its result names


def read_reports(rows: Any) -> list[JobReport]:
    """What a child says of jobs, each ``[ordinal, outcome, body, started, seconds, after, (progress, (blobs))]``.
    Raises ProtocolError for anything else: the process may be a fork of the child's, or its memory damaged.

    In columns, because one is made for every task there is.
    """
    if type(rows) is not list or not set(map(type, rows)) <= {list}:
        raise ProtocolError("its reports have an unknown form")
    if not rows:
        return []
    sizes = set(map(len, rows))
    if sizes == {REPORT_FIELDS}:
        reports = list(starmap(JobReport, rows))
    elif sizes <= {REPORT_FIELDS, REPORT_FIELDS + 1, REPORT_FIELDS + 2}:
        reports = [JobReport(*row[:REPORT_FIELDS], *row[REPORT_FIELDS + 1 :]) for row in rows]
    else:
        raise ProtocolError("its reports have an unknown form")
    ordinals, outcomes, bodies, started, seconds, afters, blobs = zip(*reports, strict=True)
    if not (
        set(map(type, ordinals)) == {int} == set(map(type, outcomes))
        and OUTCOMES.issuperset(outcomes)
        and set(map(type, bodies)) <= {bytes, NoneType}
        and set(map(type, started)) == {float} == set(map(type, seconds))
        and set(map(type, afters)) <= {float, NoneType}
        and set(map(type, blobs)) <= {list, NoneType}
        and min(seconds) >= 0
        and math.isfinite(sum(seconds) + sum(started))
    ):
        raise ProtocolError("its reports have fields of unknown kinds")
    return reports


class Death(NamedTuple):
    """How a child process ended: ``code`` as subprocess has it, negative for a signal; and what was found."""

    code: int
    peak_bytes: int = 0  # the most physical memory it ever had; 0: not known
    limit_bytes: int | None = None  # what it could have had, as far as a limit is known
    is_ours: bool = False  # it was killed by its supervisor
    is_starved: bool = False  # the kernel has killed something for lack of memory at that time
    stacks: str = ""  # of its threads, by faulthandler
    last_lines: str = ""  # of what the job that ran had printed

    @property
    def signal_name(self) -> str:
        """Empty when it was no signal."""
        if self.code >= 0:
            return ""
        import signal

        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def memory_verdict(self) -> str:
        """What can be said of a SIGKILL that nobody here sent; empty when there is nothing."""
        if self.signal_name != "SIGKILL" or self.is_ours:
            return ""
        peak = f"; it had up to {show_bytes(self.peak_bytes)}" if self.peak_bytes else ""
        limit = f" of {show_bytes(self.limit_bytes)}" if peak and self.limit_bytes else ""
        if self.is_starved:
            return f"out of memory: the kernel killed for lack of it at that time{peak}{limit}"
        return f"likely out of memory, or killed by hand{peak}{limit}"

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with status {self.code}"
        verdict = self.memory_verdict
        return f"was killed by {self.signal_name}" + (f" ({verdict})" if verdict else "")
