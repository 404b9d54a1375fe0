"""What workers say of the parameters of their tasks: kept as the bytes that came, for forms, and for people who want to know.

Nothing rests on it: which task a worker is given and what it is called with is decided without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ...common.contract.signatures import (
    ASKED_MAX,
    DESCRIBED_MAX,
    SIGNATURE_BYTES_MAX,
    SIGNATURES_BYTES_MAX,
    KnownSignature,
)
from ...common.errors import InvalidArgument
from ..api.validation import validate_list, validate_text
from ..engine.accounts import Resource
from ..engine.session import Session
from .membership import Cost, Membership, Worker
from .worker_info import TEXT_BYTES


def describe(membership: Membership, session: Session, rows: Any) -> None:
    """A worker says ``[[task, signature], …]`` of tasks that it has announced; until it is announced again. What is said again counts."""
    worker = membership.of(session)
    if len(validate_list("rows", rows)) > DESCRIBED_MAX:
        raise InvalidArgument(f"describe: {len(rows):,} tasks; at most {DESCRIBED_MAX:,} in a call")
    known = set() if worker.info is None else set(worker.info.tasks)
    said: dict[str, bytes] = {}
    for row in rows:
        match row:
            case [str(name), bytes(body)] if len(body) <= SIGNATURE_BYTES_MAX:
                if name in known:
                    said[name] = body
            case _:
                raise InvalidArgument(
                    f"describe: a row is a task and its signature of at most {SIGNATURE_BYTES_MAX:,} bytes"
                )
    kept = {**worker.signatures, **said}
    if sum(map(len, kept.values())) > SIGNATURES_BYTES_MAX:
        raise InvalidArgument(f"describe: more than {SIGNATURES_BYTES_MAX:,} bytes of signatures")
    if worker.cost is not None:
        account, more = worker.cost.account, _size_bytes(kept) - _size_bytes(worker.signatures)
        account.take(Resource.ANNOUNCED_BYTES, max(more, 0))
        account.give(Resource.ANNOUNCED_BYTES, max(-more, 0))
        worker.cost = Cost(account, worker.cost.size_bytes + more)
    worker.signatures = kept


def signatures_of(
    workers: Iterable[Worker], names: Any, serves: Callable[[Worker], bool], glanced: Callable[[int], object]
) -> list[list[KnownSignature]]:
    """For each name what connected workers say of it, what most of them say first. Equal bytes are one answer."""
    if len(validate_list("names", names)) > ASKED_MAX:
        raise InvalidArgument(f"signatures: {len(names):,} names; at most {ASKED_MAX} in a call")
    asked = [validate_text("name", name) for name in names]
    found: list[Counter[bytes]] = [Counter() for _ in asked]
    looked = 0
    for worker in workers:
        looked += 1
        if worker.session is None or not worker.signatures or not serves(worker):
            continue
        looked += len(asked)
        for name, bodies in zip(asked, found, strict=True):
            if (body := worker.signatures.get(name)) is not None:
                bodies[body] += 1
    glanced(looked)
    return [[KnownSignature(body, count) for body, count in one.most_common(ASKED_MAX)] for one in found]


def _size_bytes(signatures: dict[str, bytes]) -> int:
    return sum(TEXT_BYTES + len(body) for body in signatures.values())
