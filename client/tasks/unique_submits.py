"""Submits of tasks with ``unique=`` and ``cache=``: the keys are computed here, the master decides, and the handle is of the task that is
there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.domain.columns import TextColumn
from ...common.domain.expressions import expression
from ...common.domain.unique import SKIP, Unique, terms_of
from ...common.errors import NotSerializable
from ...common.values.canonical import canonical_bytes
from ...common.values.codec import encode_call
from ...common.values.plain import ATOMS
from .handle import FoundHandle, Handle
from .needs import GatheredNeeds
from .submission import PayloadRun, submit_many

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .definition import Definition
    from .kinds import TaskKind


class UniqueKeys:
    """Of the calls of one function."""

    def __init__(self, session: ClientSession, unique: Unique, definition: Definition) -> None:
        self._session, self._definition = session, definition
        self._by = None if unique.by is None else expression("by", unique.by)

    def of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Raises InvalidArgument for an argument in ``by`` that is neither text nor a number."""
        arguments = self._definition.arguments
        if self._by is not None:
            return self._by.key(
                "unique by", kwargs if arguments is None else arguments.values(args, dict(kwargs))
            )
        given = dict(kwargs)
        if arguments is not None:
            args, given = arguments.fit(args, given)
            known = arguments.names_and_defaults()
            named = arguments.values(args, given).items()
            # However they are given, and with the defaults that are left out.
            args, given = (
                (),
                {name: one for name, one in named if type(one) in ATOMS or one is not known.get(name)},
            )
        # A digest: keys are kept by the master for each task, and arguments may be megabytes.
        return hashlib.sha256(canonical_bytes([args, given], self._encoded)).hexdigest()

    def _encoded(self, value: Any) -> bytes:
        return encode_call((value,), {}, (), [], GatheredNeeds(self._session))

    def noted(
        self, calls: Iterable[tuple[Any, ...]], note: Callable[[str], None]
    ) -> Iterator[tuple[Any, ...]]:
        """The calls as they are read, after their keys were noted. One that cannot be sent has none: that is said when it is encoded."""
        for args in calls:
            try:
                key = self.of_call(args, {})
            except (NotSerializable, TypeError):
                key = ""
            note(key)
            yield args


def wire_of_many(unique: Unique, keys: Sequence[str]) -> list[Any]:
    """What travels with tasks of one call that have these keys, in their order."""
    column = TextColumn.of(keys)
    codes = column.codes or (0,) * len(keys)
    return terms_of(unique, [list(column.texts), list(codes)]).to_wire()


class SentUnique(NamedTuple):
    """A submit under way."""

    session: ClientSession
    definition: Definition
    unique: Unique
    id: bytes
    stored: Future[Any]

    def handle(self, answer: Any) -> Handle[Any] | None:
        """Of the task that is there; None: the new one was skipped."""
        if not isinstance(answer, bytes):
            return Handle(self.session, self.id, received=self.definition.received)
        if self.unique.on_conflict == SKIP:
            return None
        return FoundHandle(self.session, answer, received=self.definition.received)


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
    terms = terms_of(unique, UniqueKeys(session, unique, definition).of_call(*call))
    stored = submit_many(
        session,
        kind.name,
        kind.choice,
        [PayloadRun(id, [payload])],
        None,
        session.link,
        {id: list(blobs)} if blobs else None,
        needs={id: needs} if needs else None,
        unique=terms.to_wire(),
    )
    return SentUnique(session, definition, unique, id, stored)
