"""Tasks as they are shown to people: the row, its attempts, and one sentence on why it waits. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...common.contract.rows import from_wire, to_wire
from ...common.contract.steps import ShownSignal, ShownStep
from ...common.contract.tasks import LastRun, RunningProgress, TaskProgress
from ...common.domain.model import OutcomeNumber, StateNumber
from ...common.domain.on_error import FAIL
from ...common.values.failure import Failure
from ...common.wire.frames import unpack
from ..engine.clock import Now
from ..engine.engine import Engine
from ..engine.work import text_bytes
from ..store.interface.queries import ATTEMPT_MAX, AttemptRow, Found, FullTask
from ..store.interface.steps import SignalRow, StepRow
from ..workers.membership import Membership
from .array_tags import ArrayTagsLook
from .attempt_output import AttemptOutput
from .explain import is_stuck, why
from .explain_handlers import shown_handler
from .explain_placing import lane_of, shown_placing
from .explain_position import shown_position
from .explain_reasons import reasons_of
from .explain_uniques import shown_unique
from .leases import Leases
from .shown import attempts_of, began_at, shown_state
from .shown_terms import shown_terms

# Of the texts in one answer, counted in characters of up to four bytes each, so that the answer fits a frame.
ROWS_BYTES_MAX: Final = 3 * 1024 * 1024
ROW_BYTES: Final = 300  # of a row besides its texts: names of fields, and numbers
ATTEMPTS_SHOWN_MAX: Final = 200  # of one task
# Of their failures; an honest worker sends at most 68 KiB for one
ATTEMPTS_BYTES_MAX: Final = 2 * 1024 * 1024
ERRORS_BYTES_MAX: Final = 4 * 1024 * 1024  # of failures, read for one listing
ERROR_CHARS_MAX: Final = 200  # of one error in a listing
FAILED: Final = frozenset({StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST})  # states with a failure
LOOKS_MAX: Final = 20_000  # workers examined for one listing: each reason needs a look at all workers
Reasons = dict[int, str]
"""By lane: why ready tasks of them wait, determined once for a listing."""


def summary(
    engine: Engine,
    task: FullTask,
    *,
    position: bool = False,
    reasons: Reasons | None = None,
    arrays: ArrayTagsLook | None = None,
) -> dict[str, Any]:
    """The fields of a listing; times are Unix seconds. ``position``: see ``why``. ``arrays``: what a listing has read of them."""
    options = unpack(task.options) if task.options else {}
    began = began_at(engine, task.id)
    state = shown_state(engine, task.id, task.state)
    return {
        "id": task.id,
        "name": task.task,
        "queue": task.queue,
        "state": state,
        "priority": task.priority,
        "attempt": attempts_of(engine, task),
        "failures": task.failures,
        "crashes": task.crashes,
        "retries": options.get("retries", 0),
        "tags": (arrays or ArrayTagsLook(engine.store)).tags(task.seq, task.options),
        "timeout": task.timeout,
        "created": engine.now.shown(task.created),
        "due": task.at / 1000 if task.at is not None else _seconds(engine.now, task.due),
        "started": _seconds(engine.now, began if task.state == StateNumber.RUNNING else task.started),
        "finished": _seconds(engine.now, task.finished),
        "why": _reason(engine, task, position, reasons),
        "progress": engine.part(AttemptOutput).progress(task) if state == StateNumber.RUNNING else None,
    }


class Summaries:
    """The rows of one listing: why tasks of a kind wait is found out once, and the answer is full at some time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reasons: Reasons = {}
        self._arrays = ArrayTagsLook(engine.store)
        self._left, self._errors_left = ROWS_BYTES_MAX, ERRORS_BYTES_MAX

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    def row(self, task: FullTask) -> dict[str, Any]:
        row = summary(self._engine, task, reasons=self._reasons, arrays=self._arrays)
        row["error"] = self.error(task)
        self.took(row)
        return row

    def error(self, task: FullTask) -> str | None:
        """Type and first line of the error of a task that has failed. None: it has not failed, or so much was read for others in
        this answer that only `tq show` has it."""
        if task.state not in FAILED or self._errors_left <= 0:
            return None
        [found] = self._engine.store.outcomes([task.id])  # one by one: failures may be large
        failure, size = Failure.heading(found.body), len(found.body or b"")
        self._engine.work.gave(1, size)
        self._errors_left -= size
        first = failure.message.strip().partition("\n")[0]
        return f"{failure.type}: {first}"[:ERROR_CHARS_MAX]

    def took(self, row: dict[str, Any]) -> None:
        """A row is in the answer."""
        self._left -= ROW_BYTES + text_bytes(row)


def summaries(engine: Engine, tasks: Iterable[FullTask | None]) -> list[dict[str, Any]]:
    """The rows of a listing until the answer is full: the caller continues with ``before`` the last one."""
    listing = Summaries(engine)
    rows: list[dict[str, Any]] = []
    for task in tasks:
        if task is not None:
            row = listing.row(task)
            # One row at least, so that a page always gets on.
            if listing.is_full and rows:
                break
            rows.append(row)
    return rows


def details(engine: Engine, task: FullTask) -> dict[str, Any]:
    """The summary, the encoded payload and result, and the attempts; if these are too many or too large, the latest."""
    store, current = engine.store, task.attempt - task.returned
    logs = engine.part(AttemptOutput).texts(task)
    ended = _latest_attempts(engine, task.seq)
    attempts = [
        {
            "attempt": row.attempt,
            "worker": row.host,
            "version": row.version,
            "outcome": row.outcome,
            "started": _seconds(engine.now, row.started),
            "ended": _seconds(engine.now, row.ended),
            "body": row.body,
            "log": logs.get(row.attempt),
        }
        for row in ended
    ]
    began = began_at(engine, task.id)
    # It succeeded by what it became: its own attempt is in the table already.
    became = ended and (ended[-1].attempt, ended[-1].outcome) == (current, OutcomeNumber.BECAME)
    if began is not None or (task.state == StateNumber.SUCCEEDED and not became):
        # this attempt is recorded in the task's own row
        attempts.append(
            {
                "attempt": current,
                "worker": None if task.worker is None else store.worker_host(task.worker),
                "version": None if task.worker is None else store.worker_version(task.worker),
                "outcome": int(OutcomeNumber.SUCCESS) if task.state == StateNumber.SUCCEEDED else None,
                "started": _seconds(engine.now, task.started if began is None else began),
                "ended": _seconds(engine.now, task.finished),
                "body": None,
                "log": logs.get(current),
            }
        )
    return {
        **summary(engine, task, position=True),
        "returned": task.returned,
        "on_error": unpack(task.options).get("on_error", FAIL) if task.options else FAIL,
        "on_failure": shown_handler(engine, task),
        "unique": shown_unique(engine, task),
        "stuck": is_stuck(engine, task),
        "terms": shown_terms(engine, task),
        **_placing(engine, task),
        **shown_position(engine, task),
        "reasons": reasons_of(engine, task),
        "progress": engine.part(AttemptOutput).progress(task),
        "payload": task.payload,
        "result": task.result,
        "attempts": attempts,
        "signals": [_shown_signal(engine.now, row) for row in store.steps.signals(task.seq)],
        "steps": [_shown_step(engine.now, row) for row in store.steps.shown(task.seq)],
        "attempts_left_out": store.attempts_before(task.seq, ended[0].attempt) if ended else 0,
    }


def _shown_step(now: Now, row: StepRow) -> list[Any]:
    recorded, until = now.shown(row.recorded), _seconds(now, row.until)
    return to_wire(
        ShownStep(row.number, row.kind, row.name, row.attempt, recorded, row.seconds, until, row.size)
    )


def _shown_signal(now: Now, row: SignalRow) -> list[Any]:
    return to_wire(ShownSignal(row.name, row.key, row.role, now.shown(row.arrived), row.size, row.step))


def reason(engine: Engine, task: FullTask) -> dict[str, Any]:
    """Why a task waits, in a sentence, and whether it needs a person for it."""
    return {
        "id": task.id,
        "state": shown_state(engine, task.id, task.state),
        "queue": task.queue,
        "name": task.task,
        "why": why(engine, task, position=True),
        "stuck": is_stuck(engine, task),
        **_placing(engine, task),
        **shown_position(engine, task),
        "reasons": reasons_of(engine, task),
    }


def _placing(engine: Engine, task: FullTask) -> dict[str, Any]:
    """What it asks of its worker, if it does and waits for one."""
    shown = shown_placing(engine, task) if task.state == StateNumber.READY else None
    return {} if shown is None else {"placing": shown}


def _latest_attempts(engine: Engine, seq: int) -> list[AttemptRow]:
    """The attempts that ended, in order, the latest of too many or too large ones. Read one by one: each may be large."""
    rows: list[AttemptRow] = []  # the latest first
    left = ATTEMPTS_BYTES_MAX
    while len(rows) < ATTEMPTS_SHOWN_MAX and left > 0:
        one = engine.store.attempts(seq, 1, rows[-1].attempt if rows else ATTEMPT_MAX)
        if not one:
            break
        rows += one
        left -= len(one[0].body or b"")
    return rows[::-1]


def last_run(engine: Engine, task: FullTask) -> list[Any]:
    """A task's last attempt, a LastRun; without times if there was none."""
    store = engine.store
    began = began_at(engine, task.id)
    if task.state == StateNumber.SUCCEEDED or began is not None:
        host = None if task.worker is None else store.worker_host(task.worker)
        started = task.started if began is None else began
        ended = _seconds(engine.now, task.finished)
        return to_wire(LastRun(task.id, host, _seconds(engine.now, started), ended))
    attempts = store.attempts(task.seq, 1)
    if not attempts:
        return to_wire(LastRun(task.id, None, None, None))
    [last] = attempts
    times = _seconds(engine.now, last.started), _seconds(engine.now, last.ended)
    return to_wire(LastRun(task.id, last.host, *times))


def reported_progress(engine: Engine, found: Iterable[Found]) -> list[list[Any]]:
    """RunningProgress of each task that runs and has reported its progress."""
    rows: list[list[Any]] = []
    for one in found:
        held = engine.part(Leases).running.get(one.id)
        if held is None:
            continue
        # By the attempt, too: what an earlier one has reported is not how far this one is.
        packed = engine.store.progress(held.seq, held.number)
        if packed is not None:
            said = from_wire(TaskProgress, unpack(packed))
            started = _seconds(engine.now, held.begun) or 0.0
            rows.append(to_wire(RunningProgress(one.id, started, said.done, said.total, said.note)))
    return rows


def _reason(engine: Engine, task: FullTask, position: bool, reasons: Reasons | None) -> str:
    if reasons is None or task.state != StateNumber.READY:
        return why(engine, task, position=position)
    key = lane_of(engine, task).number
    if key not in reasons:
        # A listing over many lanes and workers would hold up the master for its sentences alone.
        if len(reasons) * len(engine.part(Membership).by_node) >= LOOKS_MAX:
            return "`tq why` says why it waits"
        reasons[key] = why(engine, task)
    return reasons[key]


def _seconds(now: Now, moment: int | None) -> float | None:
    """A moment of the store's, as people see it."""
    return None if moment is None else now.shown(moment)
