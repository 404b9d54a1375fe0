"""Validates the tasks of a submit, and the proofs of computed ids. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ...common.domain.id_runs import IdRun, is_run
from ...common.domain.ids import COMPUTED, PROOF_BYTES, id_of_proof, show_id
from ...common.domain.model import TASK_ID_BYTES
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from .routes import Route


class NewRun(NamedTuple):
    """Submitted tasks with consecutive ids: the first id, and the payload of each."""

    first: bytes
    payloads: list[bytes]

    @property
    def run(self) -> IdRun:
        return IdRun(self.first, len(self.payloads))


def check_computed(route: Route, runs: Iterable[NewRun], proofs: Any) -> None:
    """Accept a computed id only with a proof that it was computed for this queue and callable. Without it, a client of another
    queue could use the id first and block the task of its owner."""
    shown: dict[bytes, bytes] = {}
    match proofs:
        case list() if all(
            type(one) is list and len(one) == 2 and set(map(type, one)) == {bytes} for one in proofs
        ):
            shown.update(proofs)
        case None:
            pass
        case _:
            raise InvalidArgument("proofs are a list of [id, proof], both bytes")
    for id in (id for new in runs if new.first >= COMPUTED for id in new.run.ids()):
        proof = shown.get(id, b"")
        if len(proof) != PROOF_BYTES or id_of_proof(route.queue.name, route.task, proof) != id:
            raise InvalidArgument(
                f"the id {show_id(id)} is of a task with a key, and not of {route.task} in queue {route.queue.name} with the key "
                "whose proof came with it; other ids begin with less than ffffffff"
            )


def new_runs(tasks: list[Any], most: int) -> list[NewRun]:
    """The tasks of a submit, ``[id, payload]`` or ``[first id, [payload, …]]`` each, as runs; raises InvalidArgument."""
    runs: list[NewRun] = []
    count = 0
    following = b""  # the id that continues the last run
    for row in tasks:
        if type(row) is not list or not 2 <= len(row) <= 3:
            raise _not_a_task(row)
        first, payloads, *columns = row
        if type(payloads) is not list:
            payloads = [payloads]
        if not is_run(first, len(payloads)) or set(map(type, payloads)) != {bytes}:
            raise _not_a_task(row)
        if columns and columns != [None]:
            raise InvalidArgument("columns of tasks are reserved: this master knows none; leave them out")
        count += len(payloads)
        if count > most:
            raise InvalidArgument(f"more than {most:,} tasks in one call: send them in portions")
        if first == following:
            runs[-1].payloads.extend(payloads)
        else:
            runs.append(NewRun(first, payloads))
        following = IdRun(first, len(payloads)).behind
    return runs


def _not_a_task(row: Any) -> InvalidArgument:
    return InvalidArgument(
        f"a task is [id, payload], and several are [first id, [payload, …]]: {TASK_ID_BYTES} bytes, and any number "
        f"of bytes for each; not {brief(row, 80)}"
    )
