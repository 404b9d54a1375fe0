"""Submits of tasks with ``unique=``: the key is computed here, the master decides, and the handle is of the task that is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.domain.expressions import expression
from ...common.domain.unique import SKIP, Unique, terms_of
from .handle import Handle
from .submission import PayloadRun, submit_many

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .definition import Definition
    from .kinds import TaskKind


def check_unique(unique: Unique | None, definition: Definition) -> None:
    """Raises InvalidArgument for an expression with a parameter that the function does not have."""
    arguments = definition.arguments
    if unique is not None and unique.by is not None and arguments is not None:
        by = expression("by", unique.by)
        by.check("unique by", arguments.parameters, arguments.function_name)


def key_of(
    unique: Unique, definition: Definition, args: tuple[Any, ...], kwargs: Mapping[str, Any], payload: bytes
) -> str:
    """Raises InvalidArgument for an argument that is neither text nor a number."""
    if unique.by is None:
        return hashlib.sha256(payload).hexdigest()
    arguments = definition.arguments
    values = kwargs if arguments is None else arguments.values(args, dict(kwargs))
    return expression("by", unique.by).key("unique by", values)


class SentUnique(NamedTuple):
    """A submit under way."""

    session: ClientSession
    definition: Definition
    unique: Unique
    id: bytes
    stored: Future[Any]

    def handle(self, answer: Any) -> Handle[Any] | None:
        """Of the task that is there; None: the new one was skipped."""
        if isinstance(answer, bytes) and self.unique.on_conflict == SKIP:
            return None
        id = answer if isinstance(answer, bytes) else self.id
        return Handle(self.session, id, received=self.definition.received)


def submit_unique(
    session: ClientSession,
    kind: TaskKind,
    definition: Definition,
    id: bytes,
    payload: bytes,
    blobs: Sequence[Blob],
    needs: Sequence[IdRun],
    call: tuple[tuple[Any, ...], dict[str, Any]],
) -> SentUnique:
    """Send a task in a call of its own, whose answer is about this task alone."""
    unique = kind.choice.unique
    assert unique is not None  # noqa: S101 - by its caller
    terms = terms_of(unique, key_of(unique, definition, *call, payload))
    stored = submit_many(
        session,
        kind.name,
        kind.choice,
        [PayloadRun(id, [payload])],
        None,
        session.link,
        {id: list(blobs)} if blobs else None,
        needs={id: needs} if needs else None,
        unique=list(terms),
    )
    return SentUnique(session, definition, unique, id, stored)
