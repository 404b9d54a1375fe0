"""Submits of tasks with ``unique=`` and ``cache=``: the keys are computed here, the master decides, and the handle is of the task that is
there."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.domain.expressions import expression
from ...common.domain.unique import REPLACE, SKIP, Unique, terms_of
from ...common.errors import NotSerializable
from ...common.values.canonical import canonical_bytes
from ...common.values.codec import encode_call
from ...common.values.plain import ATOMS
from .handle import FoundHandle, Handle
from .needs import GatheredNeeds
from .outcomes import OutcomeBox
from .single_submits import SingleSubmit, SingleSubmits
from .submission import PayloadRun, WatchPrediction, parent_here, submit_many

if TYPE_CHECKING:
    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .definition import Definition
    from .kinds import TaskKind


_parsed = functools.lru_cache(maxsize=256)(expression)  # each single submit asks for that of its task


class UniqueKeys:
    """Of the calls of one function."""

    def __init__(self, session: ClientSession, unique: Unique, definition: Definition) -> None:
        self._session, self._definition = session, definition
        self._by = None if unique.by is None else _parsed("by", unique.by)

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


class SentUnique(NamedTuple):
    """A submit under way. ``box``: receives the outcome of its task, by ``link``."""

    session: ClientSession
    definition: Definition
    unique: Unique
    id: bytes
    stored: Future[Any]
    link: ClientLink
    box: OutcomeBox | None = None

    def handle(self, answer: Any) -> Handle[Any] | None:
        """Of the task that is there; None: the new one was skipped."""
        if not isinstance(answer, bytes):
            watching = None if self.box is None else self.link
            return Handle(self.session, self.id, None, self.box, watching, self.definition.received)
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
    """Send a task, with others that are submitted at once. One that may replace others travels alone, for each is to have its
    turn."""
    unique, link = kind.choice.unique, session.link
    assert unique is not None  # noqa: S101 - by its caller
    key = UniqueKeys(session, unique, definition).of_call(*call)
    if unique.on_conflict != REPLACE:
        box = OutcomeBox() if session.part(WatchPrediction).watch_next else None
        stored: Future[Any] = Future()
        submit = SingleSubmit(kind, id, payload, blobs, box, stored, needs, key, parent_here())
        session.part(SingleSubmits).add(link, submit)
        return SentUnique(session, definition, unique, id, stored, link, box)
    stored = submit_many(
        session,
        kind.name,
        kind.choice,
        [PayloadRun(id, [payload])],
        None,
        link,
        {id: list(blobs)} if blobs else None,
        needs={id: needs} if needs else None,
        unique=terms_of(unique, key).to_wire(),
        parent=parent_here(),
    )
    return SentUnique(session, definition, unique, id, stored, link)
