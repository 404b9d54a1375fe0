"""The sending loop: submits messages as slots become free and receives outcomes, until all have ended or a signal stops it.

One thread; it waits for outcomes in one place and polls retries now and then. A task's id is computed from the queue, the
campaign and the address (``task_id``), so a message that the master has already is watched and not sent again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, Protocol

from ....common.contract.tasks import OutcomeRow, OutcomeSlice, rows_of
from ....common.domain.id_runs import runs_of
from ....common.domain.ids import key_id
from ....common.domain.model import StateNumber
from ....common.domain.shards import is_spread, shard_of_id, shard_of_name
from ....common.errors import (
    ConfigError,
    InvalidArgument,
    NotSerializable,
    TaskConflict,
    TqError,
    UnknownBlob,
)
from ....common.values.blob import Blob
from ....common.values.codec import encode_call
from ....common.values.failure import Failure
from ...app import App
from ...blobs.blobs import Named, SessionBlobs
from ...tasks.answers import TASKS
from ...tasks.handles import CALL_TASKS_MAX
from ...tasks.mapping import CALLS_UNDER_WAY
from ...tasks.options import Choice
from ...tasks.outcomes import UNKNOWN
from ...tasks.payloads import CHUNK_BYTES, CHUNK_TASKS
from ...tasks.submission import Tasks, runs_of_tasks, submit_many
from ..map.stopping import Interrupts, Wakeup
from .addresses import UnfitRecipient, sameness
from .checking import MailPlan
from .domain_slots import DomainSlots
from .files import Attachments
from .outcomes import DeliveryStatus, EndedMessage, ended, refused

TASK: Final = "tq.tasks.mail:send"
UNDER_WAY_MAX: Final = 5_000  # not put off: enough for hundreds of workers' slots
OPEN_MAX: Final = 20_000  # put off or not: what one look at their states costs
TICK_SECONDS: Final = 0.25
LOOK_SECONDS: Final = 2.0  # between looks at who is put off
REASON_SECONDS: Final = 10.0  # between questions why
LOGIN: Final = "the login is refused"  # a reason
END_SECONDS_MAX: Final = 20.0  # for running tasks after a stop was requested


class SendingObserver(Protocol):
    """Receives the progress of a run."""

    def ended(self, rows: Sequence[EndedMessage]) -> None: ...
    def progress(self, ended: int, put_off: int) -> None: ...
    def complain(self, text: str) -> None: ...


def task_id(queue: str, campaign: str, address: str, shards: int = 1) -> bytes:
    """``shards``: how many the cluster has. Of a queue that is in every one the address decides, so that it is the same at each run."""
    key = f"{campaign}:{sameness(address)}"
    return key_id(queue, TASK, key, shard_of_name(key if is_spread(queue) else queue, shards))


class Unsent(NamedTuple):
    """A message whose task was refused, and the reason."""

    id: bytes
    why: str


class OutcomeInbox:
    """Receives outcomes from the link; errors are kept for the loop."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._rows: deque[OutcomeRow | Unsent] = deque()
        self._wakeup = wakeup
        self.errors: deque[TqError] = deque()

    def put(self, slices: Sequence[OutcomeSlice]) -> None:
        self._rows.extend(rows_of(slices))
        self._wakeup.wake()

    def unsent(self, id: bytes, why: str) -> None:
        self._rows.append(Unsent(id, why))
        self._wakeup.wake()

    def fail(self, error: TqError) -> None:
        self.errors.append(error)
        self._wakeup.wake()

    def wait(self, seconds: float) -> list[OutcomeRow | Unsent]:
        if not self._rows:
            self._wakeup.wait({}, seconds)
        return [self._rows.popleft() for _ in range(len(self._rows))]


class Sending:
    """One run of one campaign."""

    def __init__(
        self,
        app: App,
        plan: MailPlan,
        *,
        campaign: str,
        choice: Choice,
        attachments: Attachments,
        server: str | None,
        per_domain: int,
        retry_failed: bool,
    ) -> None:
        self._app, self._plan, self._choice = app, plan, choice
        self._attachments, self._server = attachments, server
        self._blobs, shards = app.session.part(SessionBlobs), app.session.shards
        self._ids = [
            task_id(choice.queue, campaign, recipient.address, shards) for recipient in plan.recipients
        ]
        self._retry_failed = retry_failed
        states = self._known_states()
        self.known = sum(
            state != StateNumber.CANCELLED for state in states.values()
        )  # the master has them already
        self._known = set(states)  # of those, the ones not retried
        self._seen = deque(states)
        self._retried: set[int] = set()
        new = [number for number in range(len(self._ids)) if number not in states]
        self.first = new[0] if new else 0  # of those to send
        self._places = DomainSlots(((n, plan.recipients[n].domain) for n in new), per_domain=per_domain)
        self._open: dict[bytes, int] = {}
        wakeup = Wakeup()
        self._interrupts, self._inbox = Interrupts(wakeup), OutcomeInbox(wakeup)
        self._under_way: deque[tuple[Tasks, Named, Future[Any]]] = deque()
        self._looked = self._asked = 0.0
        self._reasons: set[str] = set()
        self._ended = self._ended_before = 0

    def run(self, watcher: SendingObserver) -> bool:
        """Run until all messages have ended; False when a signal stopped it."""
        with self._interrupts.counted():
            while not self._interrupts.count:
                self._send()
                self._receive(watcher)
                if self._is_done:
                    return True
                self._poll_put_off(watcher)
            self._stop(watcher)
        return False

    @property
    def _is_done(self) -> bool:
        return self._places.is_empty and not (self._seen or self._open or self._under_way)

    # out

    def _send(self) -> None:
        while self._seen and len(self._open) < OPEN_MAX:
            some = [self._seen.popleft() for _ in range(min(len(self._seen), CHUNK_TASKS))]
            self._watch(some)
        while len(self._under_way) < CALLS_UNDER_WAY:
            room = min(UNDER_WAY_MAX - self._places.under_way, OPEN_MAX - len(self._open), CHUNK_TASKS)
            numbers = self._places.take(room)
            if not numbers:
                break
            for some in _by_shard((one for one in numbers if one not in self._retried), self._ids):
                self._submit(some)
            self._revive([number for number in numbers if number in self._retried])

    def _submit(self, numbers: list[int]) -> None:
        tasks: Tasks = []
        named: Named = {}
        size = 0
        for number in numbers:
            id = self._ids[number]
            # Before it is sent: its outcome may be quicker than this loop.
            self._open[id] = number
            try:
                payload, blobs = self._payload(number)
            except (UnfitRecipient, NotSerializable, OSError) as error:
                # The file existed when everything was checked.
                self._inbox.unsent(id, str(error))
                continue
            if tasks and size + len(payload) > CHUNK_BYTES:
                self._call(tasks, named)
                tasks, named, size = [], {}, 0
            tasks.append((id, payload))
            if blobs:
                named[id] = blobs
            size += len(payload)
        if tasks:
            self._call(tasks, named)

    def _payload(self, number: int) -> tuple[bytes, list[Blob]]:
        """The arguments of a task, and the content they name, which the master has when this returns."""
        message = self._plan.message(self._plan.recipients[number])
        blobs: list[Blob] = []
        args, options = message.arguments(self._attachments.of(message), self._server)
        payload = encode_call(args, options, (), blobs)
        if blobs:
            self._blobs.of(shard_of_id(self._ids[number])).send(blobs)
        return payload, blobs

    def _call(self, tasks: Tasks, named: Named) -> None:
        session, runs = self._app.session, runs_of_tasks(tasks)
        stored = submit_many(session, TASK, self._choice, runs, self._inbox, session.link, named, parent=None)
        self._under_way.append((tasks, named, stored))
        while len(self._under_way) > CALLS_UNDER_WAY:  # large messages: no more of them in memory
            self._settle_first()

    def _revive(self, numbers: list[int]) -> None:
        if numbers:
            ids = [self._ids[number] for number in numbers]
            answer = self._app.session.link.call(TASKS, "retry", [ids], repeatable=True)
            self._under_way.append(([], {}, answer))
            self._watch(numbers)

    def _watch(self, numbers: Iterable[int]) -> None:
        ids = [self._ids[number] for number in numbers]
        self._open.update(zip(ids, numbers, strict=True))
        self._app.session.link.watch(self._inbox, list(runs_of(ids)))

    # in

    def _receive(self, watcher: SendingObserver) -> None:
        self._settle()
        rows: list[EndedMessage] = []
        now = time.time()
        for end in self._inbox.wait(TICK_SECONDS):
            number = self._open.pop(end.id, None)
            # Received twice, as after a lost connection.
            if number is None:
                continue
            row = self._row(number, end, now)
            if self._should_retry(number, row.state):
                self._known.discard(number)
                self._retried.add(number)
                self._places.add(number, self._plan.recipients[number].domain)
                continue
            # Those of an earlier run took no slot of this one.
            if number not in self._known:
                self._places.end(number)
            rows.append(row)
        self._ended += len(rows)
        # All at once: the report is written once a turn.
        watcher.ended(rows)
        watcher.progress(self._ended, self._places.put_off)

    def _row(self, number: int, end: OutcomeRow | Unsent, now: float) -> EndedMessage:
        email = self._plan.recipients[number].address
        if isinstance(end, Unsent):
            return refused(email, end.why, now)
        if end.state == UNKNOWN:
            return refused(email, "the master does not know it any more", now)
        return ended(email, *end, None if number in self._known else now)

    def _should_retry(self, number: int, status: DeliveryStatus) -> bool:
        """Whether a message of an earlier run is tried again; a bounced one is not."""
        if number not in self._known or self._interrupts.count:
            return False
        return status is DeliveryStatus.CANCELLED or (
            self._retry_failed and status in (DeliveryStatus.DEFERRED, DeliveryStatus.FAILED)
        )

    def _settle(self) -> None:
        """Settle the answered calls. Raises errors that no task caused."""
        while self._under_way and self._under_way[0][2].done():
            self._settle_first()
        while self._inbox.errors:
            failure = self._inbox.errors.popleft()
            # The refused call has reported errors of single tasks already.
            if not isinstance(failure, (InvalidArgument, TaskConflict, UnknownBlob)):
                raise failure

    def _settle_first(self) -> None:
        """A call is refused as a whole: then send its tasks one by one, to find the faulty one."""
        tasks, named, answer = self._under_way.popleft()
        error = answer.exception()
        if error is None:
            return
        if isinstance(error, UnknownBlob):  # kept no longer: it waited too long for its task
            blobs = self._blobs.of(shard_of_id(tasks[0][0]))
            blobs.send(blob for some in named.values() for blob in some)
            self._call(tasks, named)
            return
        if not tasks or not isinstance(error, (InvalidArgument, TaskConflict)):
            raise error
        if len(tasks) == 1:
            self._inbox.unsent(tasks[0][0], str(error))
        for task in tasks if len(tasks) > 1 else ():
            self._call([task], {id: blobs for id, blobs in named.items() if id == task[0]})

    # who is put off

    def _poll_put_off(self, watcher: SendingObserver) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS or not self._open:
            return
        self._looked = now
        scheduled = {
            id
            for id, state in self._states_of(list(self._open))
            if state == StateNumber.SCHEDULED and id in self._open
        }
        self._places.note_put_off({self._open[id] for id in scheduled})
        if scheduled and now - self._asked >= REASON_SECONDS:
            self._asked = now
            self._report_reason(next(iter(scheduled)), watcher)

    def _report_reason(self, id: bytes, watcher: SendingObserver) -> None:
        """Report each reason once, so that an unreachable server is visible at once."""
        attempts = self._app.call(TASKS, "show", id)["attempts"]
        failure = Failure.decode(attempts[-1]["body"] if attempts else None)
        if failure.type.endswith("LoginRefused"):
            self._login_refused(failure.message, watcher)
            return
        kind, reason = failure.message.partition(" to ")[0], failure.message  # without whom it met
        if kind and kind not in self._reasons:
            self._reasons.add(kind)
            watcher.complain(f"put off, tried again later: {reason}")

    def _login_refused(self, reason: str, watcher: SendingObserver) -> None:
        """No message of this worker goes. If no other worker sends any either, there is nothing to wait for."""
        if LOGIN not in self._reasons:
            self._reasons.add(LOGIN)
            watcher.complain(f"put off: {reason}")
            self._ended_before = self._ended
        # Ten seconds without any message: another worker would have sent some.
        elif self._ended == self._ended_before:
            raise ConfigError(f"no message was sent since the mail server refused the login: {reason}")
        self._ended_before = self._ended

    def _known_states(self) -> dict[int, int]:
        # Several shards answer each for its own, so not in the order of the question.
        numbers = {id: number for number, id in enumerate(self._ids)}
        return {numbers[id]: state for id, state in self._states_of(self._ids) if state != UNKNOWN}

    def _states_of(self, ids: list[bytes]) -> Iterator[list[Any]]:
        for start in range(0, len(ids), CALL_TASKS_MAX):
            yield from self._app.call(TASKS, "states", ids[start : start + CALL_TASKS_MAX])

    # the end

    def _stop(self, watcher: SendingObserver) -> None:
        """Cancel messages that no worker has started; messages being sent are finished."""
        watcher.complain(f"stopping: {len(self._open):,} under way are cancelled, or finished if begun")
        deadline, wishes = time.monotonic() + END_SECONDS_MAX, self._interrupts.count
        while self._under_way and time.monotonic() < deadline:
            self._receive(watcher)
        ids = list(self._open)
        # False: what runs is finished, or a message could be cut off behind its server's answer.
        for start in range(0, len(ids), CALL_TASKS_MAX):
            self._app.call(TASKS, "cancel", ids[start : start + CALL_TASKS_MAX], False)
        while self._open and time.monotonic() < deadline and self._interrupts.count == wishes:
            self._receive(watcher)


def _by_shard(numbers: Iterable[int], ids: Sequence[bytes]) -> Iterable[list[int]]:
    """A call is to one shard."""
    found: dict[int, list[int]] = {}
    for number in numbers:
        found.setdefault(shard_of_id(ids[number]), []).append(number)
    return found.values()
