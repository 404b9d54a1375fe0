"""Submitting many tasks: reads an iterable and sends calls of about a thousand tasks, a few calls at a time.

The iterable is read only as fast as the master stores the tasks, so memory is bounded for any length.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import IdSource
from ...common.domain.model import TASK_ID_BYTES
from ...common.domain.shards import shard_of_id
from ...common.domain.unique import SKIP, wire_of_many
from ..blobs.blobs import Named, SessionBlobs
from .definition import Definition
from .handles import Handles
from .home import ANY_SHARD, home_of
from .indexed import MapIndex
from .lane_keys import LaneKeys
from .map_keys import MapKeys
from .needs import GatheredNeeds, TaskNeeds
from .options import Choice
from .outcomes import OutcomeBox
from .payloads import CallEncoder
from .submission import PayloadRun, parent_here, submit_many
from .unique_handles import UniqueHandles
from .unique_submits import UniqueKeys

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .spreading import Scattering

CALLS_UNDER_WAY: Final = 8
# Outcomes delivered before a reader exists: bounds the memory of this process
WATCHED_TASKS_MAX: Final = 100_000


def submit_all(
    session: ClientSession,
    definition: Definition,
    choice: Choice,
    calls: Iterable[tuple[Any, ...]],
) -> Handles[Any]:
    """``calls``: the positional arguments of each."""
    submission = _MapSubmission(session, definition, choice)
    for chunk in submission.chunks(calls):
        if chunk.named:
            session.part(SessionBlobs).of(chunk.shard).send(_all_of(chunk.named))
        # In the order of sending: the first error is that of the earliest items.
        for stored in submission.send(chunk):
            submission.answered(stored.result())
    for stored in submission.under_way:
        submission.answered(stored.result())
    return submission.handles


async def submit_all_async(
    session: ClientSession,
    definition: Definition,
    choice: Choice,
    calls: Iterable[tuple[Any, ...]],
) -> Handles[Any]:
    """``submit_all`` for an event loop."""
    import asyncio

    await session.ashards()
    submission = _MapSubmission(session, definition, choice)
    for chunk in submission.chunks(calls):
        if chunk.named:
            await asyncio.to_thread(session.part(SessionBlobs).of(chunk.shard).send, _all_of(chunk.named))
        for stored in submission.send(chunk):
            submission.answered(await asyncio.wrap_future(stored))
    for stored in submission.under_way:
        submission.answered(await asyncio.wrap_future(stored))
    return submission.handles


class MapChunk(NamedTuple):
    """The tasks of one submit call, in runs of consecutive ids. ``named``: the blobs that they name. ``needs``: the tasks whose
    results they need. ``choice``: with the keys of their limits. ``unique``: by what they are the same as others. ``calls``: the tasks of
    this and the next ones in the order of their calls, where neighbours are in different shards; None: in that of the runs."""

    runs: list[PayloadRun]
    named: Named
    needs: TaskNeeds
    choice: Choice
    unique: list[Any] | None = None
    calls: Sequence[IdRun] | None = None

    @property
    def shard(self) -> int:
        return shard_of_id(self.runs[0].first)


class _MapSubmission:
    """The state of one map that is being submitted."""

    def __init__(self, session: ClientSession, definition: Definition, choice: Choice) -> None:
        self._session, self._link = session, session.link
        self._definition, self._choice = definition, choice
        self._keys = None if choice.columns is not None else MapKeys(LaneKeys(choice.terms, definition))
        self._index = MapIndex(choice, definition) if choice.indexed else None
        home = home_of(session, choice)
        self.shard = max(0, home)
        self._scattering = None if home != ANY_SHARD else _scattering(session, choice)
        self._watched = False  # those of the last chunk
        self._ids = IdSource(
            seconds=math.inf, shard=self.shard
        )  # its own, and one block as long as it lasts: a map is one array to people
        self._needs = GatheredNeeds(session)
        self._box = OutcomeBox()
        self._room = max(0, WATCHED_TASKS_MAX - self._link.watched_tasks)
        self._unique, self._unanswered = choice.unique, deque[list[IdRun]]()  # the tasks of calls under way
        if self._unique is None:
            self._unique_keys = None
            self.handles: Handles[Any] = Handles(
                session, box=self._box, link=self._link, received=definition.received
            )
        else:
            self._unique_keys = UniqueKeys(session, self._unique, definition)
            self._same: deque[str] = deque()  # of calls that were read and are not in a chunk yet
            self.handles = UniqueHandles(session, definition.received)
        self.under_way: deque[Future[Any]] = deque()

    def chunks(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[MapChunk]:
        """Tasks with new ids, grouped into calls of a good size, and the blobs that they name."""
        if self._unique_keys is not None:
            calls = self._unique_keys.noted(calls, self._same.append)
        if self._index is not None:
            calls = self._index.noted(calls)
        note = None if self._keys is None else self._keys.note
        for payloads, blobs, needs in CallEncoder(self._definition, calls, self._needs, note).chunks():
            choice = self._choice if self._keys is None else self._keys.of_next(self._choice, len(payloads))
            if self._index is not None:
                choice = self._index.of_next(choice, len(payloads))
            if self._scattering is not None:
                yield from self._scattered(self._scattering, payloads, blobs, needs, choice)
                continue
            runs = self._runs(payloads)
            # A thousand objects, which most chunks do without.
            ids = [id for run in runs for id in run.run.ids()] if blobs or needs else []
            unique = None
            if self._unique is not None:
                unique = wire_of_many(self._unique, [self._same.popleft() for _ in payloads])
            yield MapChunk(runs, _of_ids(ids, blobs), _of_ids(ids, needs), choice, unique)

    def _scattered(
        self,
        scattering: Scattering,
        payloads: list[bytes],
        blobs: Mapping[int, list[Blob]],
        needs: Mapping[int, Sequence[IdRun]],
        choice: Choice,
    ) -> Iterator[MapChunk]:
        """A call to each shard that has some of the tasks."""
        scattered = scattering.of_calls(choice.columns, needs, len(payloads))
        calls: Sequence[IdRun] = scattered.calls
        for part in scattered.parts:
            ids = dict(zip(part.places, part.run.ids(), strict=True)) if blobs or needs else {}
            yield MapChunk(
                [PayloadRun(part.run.first, [payloads[place] for place in part.places])],
                {id: blobs[place] for place, id in ids.items() if place in blobs},
                {id: needs[place] for place, id in ids.items() if place in needs},
                choice if part.columns is choice.columns else choice._replace(columns=part.columns),
                calls=calls,
            )
            calls = ()

    def _runs(self, payloads: list[bytes]) -> list[PayloadRun]:
        flow = self._choice.flow
        if flow is None or not flow.has_key:
            return [PayloadRun(_id(self._ids.take(len(payloads))), payloads)]
        queue, name = self._choice.queue, self._definition.name
        # Computed ids are not consecutive: each stands by itself.
        return [PayloadRun(flow.next_id(queue, name, self.shard), [payload]) for payload in payloads]

    def send(self, chunk: MapChunk) -> Iterator[Future[Any]]:
        """Start a call; yields the earlier calls that must finish before the next may start."""
        calls = [run.run for run in chunk.runs] if chunk.calls is None else chunk.calls
        if calls:
            count = sum(run.length for run in calls)
            # Else its answer says which tasks there are.
            self._watched = count <= self._room and chunk.unique is None
            self._room = self._room - count if self._watched else 0  # only a prefix is watched, without gaps
        watched = self._watched
        self.under_way.append(
            submit_many(
                self._session,
                self._definition.name,
                chunk.choice,
                chunk.runs,
                self._box if watched else None,
                self._link,
                chunk.named,
                needs=chunk.needs,
                unique=chunk.unique,
                parent=parent_here(),
            )
        )
        if chunk.unique is not None:
            self._unanswered.append([run.run for run in chunk.runs])
        else:
            for one in calls:
                self.handles.submitted(int.from_bytes(one.first, "big"), one.length, watched=watched)
        while len(self.under_way) >= CALLS_UNDER_WAY:
            yield self.under_way.popleft()

    def answered(self, answer: Any) -> None:
        """The call that was sent first of those without an answer is stored."""
        if isinstance(self.handles, UniqueHandles) and self._unique is not None:
            skips = self._unique.on_conflict == SKIP
            self.handles.answered(self._unanswered.popleft(), answer, skips=skips)


def _scattering(session: ClientSession, choice: Choice) -> Scattering:
    from .spreading import Scattering  # most queues are in one shard

    return Scattering(session, choice)


def _of_ids(ids: Sequence[bytes], by_place: Mapping[int, Any]) -> dict[bytes, Any]:
    return {ids[place]: some for place, some in by_place.items()}


def _id(number: int) -> bytes:
    return number.to_bytes(TASK_ID_BYTES, "big")


def _all_of(named: Named) -> list[Blob]:
    return [blob for blobs in named.values() for blob in blobs]
