"""A link that records its program's submits and the outcomes it received, for the history checker. Off by default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from ...common.contract.tasks import OutcomeSlice, rows_of
from ...common.domain.id_runs import IdRun
from ...common.domain.model import StateNumber
from ...common.runtime.history import Note, digest
from .io_thread import ClientLink
from .listener import Listener
from .shard_line import settle
from .transports import Opener, OpenerOf


class RecordingLink(ClientLink):
    """A ``ClientLink``; see ``common/runtime/history.py`` and the rules in docs/reliability.md."""

    def __init__(
        self,
        opener: Opener,
        *,
        stream: str,
        connect_seconds: float,
        of_shard: OpenerOf | None = None,
        note: Note,
    ) -> None:
        self._note = note  # before the thread starts
        super().__init__(opener, stream=stream, connect_seconds=connect_seconds, of_shard=of_shard)

    def call(
        self,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
        until_done: bool = False,
        runs: Sequence[IdRun] = (),
        box: Listener | None = None,
        boxes: Sequence[Listener] = (),
    ) -> Future[Any]:
        if method == "submit":
            once = args[1].get("delivery") == "at_most_once"
            for id in _ids_of(runs):
                self._note("submitting", id=id, once=once)
        future = super().call(
            target,
            method,
            args,
            repeatable=repeatable,
            until_done=until_done,
            runs=runs,
            box=box,
            boxes=boxes,
        )
        return self._written_first(future, runs) if method == "submit" else future

    def _written_first(self, answer: Future[Any], runs: Sequence[IdRun]) -> Future[Any]:
        """The same answer; the caller gets it only after it is in the history."""
        recorded: Future[Any] = Future()

        def note_and_settle(answer: Future[Any]) -> None:
            if answer.exception() is None:
                for id in _ids_of(runs):
                    self._note("acknowledged", id=id)
                settle(recorded, answer.result(), None)
            else:
                settle(recorded, None, answer.exception())

        answer.add_done_callback(note_and_settle)
        return recorded

    def _deliver(self, box: Listener, slices: Sequence[OutcomeSlice]) -> None:
        for id, state, body in rows_of(slices):
            self._note(
                "received", id=id, state=state, digest=digest(body) if state == StateNumber.SUCCEEDED else ""
            )
        super()._deliver(box, slices)


def _ids_of(runs: Sequence[IdRun]) -> Iterator[bytes]:
    return (id for run in runs for id in run.ids())
