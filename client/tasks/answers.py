"""What the master's answers about a task mean: the attempts, the progress, the state. Read in one place, for calls that block and
for those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.tasks import StateRow, TaskProgress
from ...common.domain.model import Outcome as AttemptOutcome
from ...common.domain.model import State
from .outcomes import UNKNOWN, unknown_task

TASKS: Final = ("get_tasks",)
FLOWS: Final = ("get_flows",)
NO_TEXT: Final = 2**53  # an offset past the end of every log: the answer has no text


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt to run a task, as ``handle.attempts`` lists it.

    Attributes:
        attempt: Its number, from 1.
        worker: Name of the worker, if it is known.
        outcome: How it ended, as text such as ``"success"``; None while it runs.
        started: Unix seconds.
        ended: Unix seconds; None while it runs.
        error: Type and message of its error; empty unless it failed.
        log: The last 64 KiB of its output, kept for the latest attempts only.
    """

    attempt: int
    worker: str | None
    outcome: AttemptOutcome | None  # None: still running
    started: float | None
    ended: float | None
    error: str = ""
    log: str = ""  # its output: the last 64 KiB; kept for the latest attempts only


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Progress as a task reported it.

    Attributes:
        done: How much is done.
        total: Of how much; None when the task reported no total.
        note: A few words, at most 200 characters.
    """

    done: float
    total: float | None
    note: str


def arguments_of(shown: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Of what ``show`` answers."""
    from ...common.values.codec import decode_call

    return decode_call(shown["payload"])


def attempts_of(shown: dict[str, Any]) -> list[Attempt]:
    """Of what ``show`` answers."""
    from ...common.values.failure import Failure

    attempts = []
    for row in shown["attempts"]:
        outcome = None if row["outcome"] is None else AttemptOutcome.from_number(row["outcome"])
        failure = Failure.decode(row["body"]) if row["outcome"] else None  # SUCCESS is 0
        error = f"{failure.type}: {failure.message}" if failure and failure.type else ""
        attempts.append(
            Attempt(
                attempt=row["attempt"],
                worker=row["worker"],
                outcome=outcome,
                started=row["started"],
                ended=row["ended"],
                error=error,
                log=row["log"] or "",
            )
        )
    return attempts


def progress_of(log: dict[str, Any]) -> Progress | None:
    """Of what ``log`` answers."""
    if log["progress"] is None:
        return None
    reported = from_wire(TaskProgress, log["progress"])
    return Progress(done=reported.done, total=reported.total, note=reported.note)


def state_of(id: bytes, answer: list[Any]) -> State:
    """Of what ``states``, ``cancel`` and ``retry`` answer of one task. Raises UnknownTask."""
    states = [row.state for row in all_from_wire(StateRow, answer)]
    if not states or states[0] == UNKNOWN:
        raise unknown_task(id)
    return State.from_number(states[0])
