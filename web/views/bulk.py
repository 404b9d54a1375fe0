"""Acting on many tasks: count them, ask, then work in portions in a thread of its own, which a person may stop between two.

::

    counting ──► asking ──► acting ──► done
        └──────────┴───────────┴─────► stopped, or failed with a sentence
"""

from __future__ import annotations

import secrets
import shlex
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ...client.app import App
from ...client.cli.bulk import TASKS, BulkAction
from ...client.cli.tasks import CANCEL, CANCELLABLE, FINISHED, PURGE, RETRY, REVIVED, WAITING
from ...client.cli.where import Filter, with_states
from ...client.tasks.named import named
from ...common.domain.model import Role, State
from ...common.errors import Forbidden, InvalidArgument, TqError
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from .tasks import wanted_of

JOBS_MAX: Final = 20  # of one log-in; the oldest that has ended goes first
LIVE_SECONDS: Final = 1.0
ID_BYTES: Final = 8


class BulkVerb(NamedTuple):
    """``usual``: tasks of these states are meant if the filter names none; ``possible``: of these it can be at all. ``command``: in a
    shell, and if the filter names no states."""

    action: BulkAction
    usual: Sequence[State]
    possible: Sequence[State]
    done: str
    command: tuple[Sequence[str], Sequence[str]]
    role: Role = Role.CLIENT
    takes_arrays: bool = True


VERBS: Final[dict[str, BulkVerb]] = {
    "retry": BulkVerb(
        RETRY, REVIVED, (*REVIVED, State.CANCELLED), "retried", (["tq", "retry"], ["tq", "retry"])
    ),
    "cancel": BulkVerb(CANCEL, CANCELLABLE, CANCELLABLE, "cancelled", (["tq", "cancel"], ["tq", "cancel"])),
    # What waits is deleted only if the filter says so: it is work that is still to be done.
    "delete": BulkVerb(
        PURGE,
        FINISHED,
        (*WAITING, *FINISHED),
        "deleted",
        (["tq", "purge"], ["tq", "purge", "--finished"]),
        Role.ADMIN,
        takes_arrays=False,
    ),
}


@dataclass(kw_only=True, eq=False)
class BulkJob:
    id: str
    verb: BulkAction
    wanted: Filter
    command: str
    phase: str = "counting"
    states: Counter[int] = field(default_factory=Counter)
    newest: int = 0  # tasks that come later are not meant
    done: int = 0
    error: str = ""
    is_stopped: bool = False

    @property
    def tasks(self) -> int:
        return sum(self.states.values())

    @property
    def is_busy(self) -> bool:
        return self.phase in ("counting", "acting")

    def start(self, app: App) -> None:
        step = self._count if self.phase == "counting" else self._act
        threading.Thread(target=self._run, args=(step, app), name="tq-web bulk", daemon=True).start()

    def _run(self, step: Any, app: App) -> None:
        try:
            step(app)
        except (TqError, TimeoutError) as error:
            self.phase, self.error = "failed", str(error)
        except Exception as error:  # a bug must not leave a job that is busy without end
            self.phase, self.error = "failed", repr(error)
            raise

    def _count(self, app: App) -> None:
        answer = app.call(TASKS, "select", self.wanted)
        self.newest = answer["newest"]
        self.states.update(dict(answer["states"]))
        while answer["before"] is not None and not self.is_stopped:
            answer = app.call(TASKS, "select", self.wanted, 0, answer["before"])
            self.states.update(dict(answer["states"]))
        self.phase = "stopped" if self.is_stopped else "asking"

    def _act(self, app: App) -> None:
        before: int | None = self.newest
        while before is not None and not self.is_stopped:
            answer = app.call(TASKS, self.verb.method, self.wanted, before)
            self.done, before = self.done + answer["tasks"], answer["before"]
        self.phase = "done" if before is None else "stopped"


def count(login: Login, asked: ViewRequest) -> Done:
    """Begin to count what would be meant. Raises InvalidArgument for a filter of states that cannot be."""
    word, where, array = asked.get("verb"), asked.get("where"), asked.get("array")
    if word not in VERBS:
        raise InvalidArgument(f"{word!r:.40} is nothing that is done to many tasks: {', '.join(VERBS)}")
    verb = VERBS[word]
    if not login.may(verb.role):
        raise Forbidden(f"this key is a {login.role} key and cannot {word} tasks")
    if not where and not array:
        raise InvalidArgument(f"all tasks there are? Say which: a filter such as state=failed, then {word}")
    if array and not verb.takes_arrays:
        raise InvalidArgument(f"a part of an array is not {verb.done}; filter the list of all tasks instead")
    found = wanted_of(login, where)
    words = list(verb.command["states" not in found])
    wanted = with_states(found, verb.usual, verb.possible, verb.done)
    if array:
        wanted["ids"] = list(named(login.app.session, array).ids)
        words.append(array)
    if where:
        words += ["--where", where]
    job = BulkJob(id=secrets.token_hex(ID_BYTES), verb=verb.action, wanted=wanted, command=shlex.join(words))
    _keep(login, job)
    job.start(login.app)
    return Done(to=f"/bulk/{job.id}")


def _keep(login: Login, job: BulkJob) -> None:
    ended = [id for id, one in login.jobs.items() if not one.is_busy]
    if len(login.jobs) >= JOBS_MAX:
        if not ended:
            raise InvalidArgument(f"{JOBS_MAX} such actions are under way; wait for one, or stop it")
        del login.jobs[ended[0]]
    login.jobs[job.id] = job


def act(login: Login, asked: ViewRequest) -> Done:
    """Do it: what was counted has been seen."""
    job = _job(login, asked)
    if job.phase != "asking":
        raise InvalidArgument("it has been begun already, or was stopped")
    job.phase = "acting"
    job.start(login.app)
    return Done(to=f"/bulk/{job.id}")


def stop(login: Login, asked: ViewRequest) -> Done:
    job = _job(login, asked)
    job.is_stopped = True
    if job.phase == "asking":
        job.phase = "stopped"
    return Done(to=f"/bulk/{job.id}")


def bulk(login: Login, asked: ViewRequest) -> ShownPage:
    job = _job(login, asked)
    states = [(str(State.from_number(number)), tasks) for number, tasks in sorted(job.states.items())]
    return ShownPage(
        title=f"{job.verb.ask.capitalize()} tasks",
        template="bulk.html",
        command=job.command,
        every=LIVE_SECONDS if job.is_busy else None,
        context={"job": job, "states": states},
    )


def _job(login: Login, asked: ViewRequest) -> BulkJob:
    job = login.jobs.get(asked.path["job"])
    if job is None:
        raise InvalidArgument("this page has forgotten that action: look at the tasks again")
    found: BulkJob = job
    return found
