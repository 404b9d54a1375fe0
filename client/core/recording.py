"""A link that records its program's submits and the outcomes it received, for the history checker. Off by default."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from ...common.contract.tasks import OutcomeRow
from ...common.domain.model import StateNumber
from ...common.runtime.history import Note, digest
from .io_thread import ClientLink, settle
from .listener import Listener
from .transports import Opener


class RecordingLink(ClientLink):
    """A ``ClientLink``; see ``common/runtime/history.py`` and the rules in docs/reliability.md."""

    def __init__(self, opener: Opener, *, stream: str, connect_seconds: float, note: Note) -> None:
        self._note = note  # before the thread starts
        super().__init__(opener, stream=stream, connect_seconds=connect_seconds)

    def call(
        self,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
        until_done: bool = False,
        ids: Sequence[bytes] = (),
        box: Listener | None = None,
        boxes: Sequence[Listener] = (),
    ) -> Future[Any]:
        if method == "submit":
            once = args[1].get("delivery") == "at_most_once"
            for id in ids:
                self._note("submitting", id=id, once=once)
        future = super().call(
            target, method, args, repeatable=repeatable, until_done=until_done, ids=ids, box=box, boxes=boxes
        )
        return self._written_first(future, ids) if method == "submit" else future

    def _written_first(self, answer: Future[Any], ids: Sequence[bytes]) -> Future[Any]:
        """The same answer; the caller gets it only after it is in the history."""
        recorded: Future[Any] = Future()

        def note_and_settle(answer: Future[Any]) -> None:
            if answer.exception() is None:
                for id in ids:
                    self._note("acknowledged", id=id)
                settle(recorded, answer.result(), None)
            else:
                settle(recorded, None, answer.exception())

        answer.add_done_callback(note_and_settle)
        return recorded

    def _deliver(self, box: Listener, rows: Sequence[OutcomeRow]) -> None:
        for id, state, body in rows:
            self._note(
                "received", id=id, state=state, digest=digest(body) if state == StateNumber.SUCCEEDED else ""
            )
        super()._deliver(box, rows)
