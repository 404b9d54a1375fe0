"""Validates the tasks of a submit, and the proofs of computed ids. Pure."""

from __future__ import annotations

from typing import Any

from ...common.domain.ids import COMPUTED, PROOF_BYTES, id_of_proof, show_id
from ...common.domain.model import TASK_ID_BYTES
from ...common.errors import InvalidArgument
from .routes import Route


def check_computed(route: Route, tasks: list[list[bytes]], proofs: Any) -> None:
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
    for id, _ in tasks:
        if id < COMPUTED:
            continue
        proof = shown.get(id, b"")
        if len(proof) != PROOF_BYTES or id_of_proof(route.queue.name, route.task, proof) != id:
            raise InvalidArgument(
                f"the id {show_id(id)} is of a task with a key, and not of {route.task} in queue {route.queue.name} with the key "
                "whose proof came with it; other ids begin with less than ffffffff"
            )


def are_tasks(tasks: list[Any]) -> bool:
    """Whether each is ``[id, payload]``. Checked by columns: a check of each task by itself costs ten times as much."""
    if not tasks:
        return True
    if set(map(type, tasks)) != {list} or set(map(len, tasks)) != {2}:
        return False
    ids, payloads = zip(*tasks, strict=True)
    return set(map(type, ids)) == {bytes} == set(map(type, payloads)) and set(map(len, ids)) == {
        TASK_ID_BYTES
    }
