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
    """A leased attempt. ``ordinal`` names it between supervisor and child: 0 while no child has it."""

    id: bytes
    attempt: int
    lease: bytes
    queue: str
    name: str
    timeout: float | None
    payload: bytes
    suspect: bool = False
    number: int = 1  # of this attempt, as it is shown; ``attempt`` counts leases and is the fencing token
    ordinal: int = 0
    cancelled: bool = False

    @property
    def key(self) -> tuple[bytes, int]:
        """Unique among the jobs in hand."""
        return self.id, self.attempt

    @property
    def held(self) -> list[Any]:
        """The form in which ``announce`` and ``release`` name it."""
        return list(HeldRow(self.id, self.attempt, self.lease))

    def to_child(self) -> list[Any]:
        """The form in which a child receives it."""
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
    """The jobs of a lease reply. Nearly all entries have the usual fields only; for those no record is made but the job."""
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
    """How one job ended, as its child reports it."""

    ordinal: int
    outcome: int
    body: bytes | None
    started: float  # Unix seconds
    seconds: float
    after: float | None
    blobs: list[bytes] | None = None  # hashes of the content that the result refers to; uploaded already


REPORT_FIELDS: Final = 6  # optional fields follow: the last progress, the content that the result refers to


def read_reports(rows: Any) -> list[JobReport]:
    """Reports of a child, each ``[ordinal, outcome, body, started, seconds, after, (progress, (blobs))]``. Raises
    ProtocolError for anything else: the sender may be a process that the task forked, or the child's memory is damaged.

    Checked by columns and not by rows, because there is one report for every task.
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
    """How a child process ended: ``code`` as in subprocess, negative for a signal; and what was found out."""

    code: int
    peak_bytes: int = 0  # the most physical memory it ever had; 0: unknown
    limit_bytes: int | None = None  # of its memory; None: unknown, or there is none
    is_ours: bool = False  # it was killed by its supervisor
    is_starved: bool = False  # the kernel killed a process for lack of memory at that time
    stacks: str = ""  # of its threads, by faulthandler
    last_lines: str = ""  # of what the running job had printed

    @property
    def signal_name(self) -> str:
        """Empty when no signal ended it."""
        if self.code >= 0:
            return ""
        import signal

        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def memory_verdict(self) -> str:
        """The likely cause of a SIGKILL that this worker did not send; else empty."""
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
