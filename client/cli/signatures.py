"""What the workers say a task is called with: for a form, and for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...common.contract.rows import from_wire
from ...common.contract.signatures import ASKED_MAX, KnownSignature, ParameterRow, in_words, unpacked
from ...common.contract.workers import WORKERS
from ...common.errors import ProtocolError, UnknownObject
from ..app import App


class TaskSignature(NamedTuple):
    """``workers``: how many say so; ``others``: how many say something else of this task, as while new code is rolled out."""

    packed: bytes
    rows: Sequence[ParameterRow]
    workers: int
    others: int

    def __str__(self) -> str:
        other = (
            f"  ({self.others} of {self.workers + self.others} workers have another one)"
            if self.others
            else ""
        )
        return in_words(self.rows) + other


def signatures(app: App, names: Iterable[str]) -> dict[str, TaskSignature]:
    """Those that are known, by task: a worker of an older version says nothing, and a master of one does not ask."""
    found: dict[str, TaskSignature] = {}
    wanted = list(names)
    for start in range(0, len(wanted), ASKED_MAX):
        asked = wanted[start : start + ASKED_MAX]
        try:
            answer = app.call((WORKERS.name,), "signatures", asked)
        except UnknownObject:
            return {}
        for name, said in zip(asked, answer, strict=True):
            known = [from_wire(KnownSignature, one) for one in said]
            if known and (rows := _read(known[0].packed)) is not None:
                others = sum(one.workers for one in known[1:])
                found[name] = TaskSignature(known[0].packed, rows, known[0].workers, others)
    return found


def _read(packed: bytes) -> Sequence[ParameterRow] | None:
    try:
        return unpacked(packed)
    except ProtocolError:  # of a worker of another version, or another make
        return None
