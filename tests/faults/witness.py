"""A client that says what it does: every submit, answer, result and cancel is an event of the history.

It makes its ids itself, so that the history has them before anything is sent, and speaks the protocol through an
ordinary App, whose reconnecting and repeating is what is under test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tq
from tq.client.tasks.handles import Handles
from tq.client.tasks.id_runs import IdRuns
from tq.common.domain.ids import new_ids, parse_id
from tq.common.runtime.history import Note, digest
from tq.common.values.codec import encode, encode_call

QUEUE = ("get_task_queue", "default")
TASKS = ("get_tasks",)

Tasks = list[bytes]


class Witness:
    def __init__(self, app: tq.App, note: Note) -> None:
        self.app, self._note = app, note
        self._final: dict[bytes, int] = {}  # the final states that it knows

    def submit(self, name: str, calls: Iterable[Sequence[Any]], **options: Any) -> Tasks:
        """Tasks that are acknowledged when this returns. Raises what the master or the connection says."""
        payloads = [encode_call(tuple(call), {}) for call in calls]
        rows = [[id, payload] for id, payload in zip(new_ids.many(len(payloads)), payloads, strict=True)]
        self.offer(name, rows, **options)
        return [id for id, _ in rows]

    def offer(self, name: str, rows: list[list[bytes]], **options: Any) -> int:
        """Submit these ids, for the first time or again; how many were new to the master."""
        once = options.get("delivery") == "at_most_once"
        for id, _ in rows:
            self._note("submitting", id=id, once=once)
        new: int = self.app.call(QUEUE, "submit", name, options, rows, None)
        for id, _ in rows:
            self._note("acknowledged", id=id)
        return new

    def hear(self, tasks: Tasks, seconds: float) -> dict[bytes, Any]:
        """Wait for the ends of all; what each gave: its result, or its error."""
        given: dict[bytes, Any] = {}
        ids = IdRuns()
        for id in tasks:
            ids.append(int.from_bytes(id, "big"), 1)
        for handle in Handles[Any](self.app.session, ids).as_completed(timeout=seconds):
            id = parse_id(handle.id)
            error = handle.exception()
            given[id] = handle.result() if error is None else error
            body = "" if error is not None else digest(encode(given[id], root="result"))
            self._final[id] = int(handle.state.number)
            self._note("received", id=id, state=self._final[id], digest=body)
        return given

    def cancel(self, tasks: Tasks) -> list[tq.State]:
        return [self._confirm(id, state) for id, state in self.app.call(TASKS, "cancel", tasks)]

    def _confirm(self, id: bytes, state: int) -> tq.State:
        if state == tq.State.CANCELLED.number:
            self._note("cancel-confirmed", id=id)
        return tq.State.from_number(state)

    def read(self, tasks: Tasks) -> list[tq.State]:
        before = {id: self._final.get(id) for id in tasks}
        states = self.app.call(TASKS, "states", tasks)
        for id, state in states:
            self._note("read", id=id, before=before[id], state=state)
            if tq.State.from_number(state).is_terminal:
                self._final.setdefault(id, state)
        return [tq.State.from_number(state) for _, state in states]
