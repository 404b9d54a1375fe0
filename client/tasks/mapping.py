"""Submitting many tasks: reads an iterable and sends calls of about a thousand tasks, a few calls at a time.

The iterable is read only as fast as the master stores the tasks, so memory is bounded for any length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.ids import IdSource, consecutive_ids
from ...common.values.codec import encode_call
from ..blobs.blobs import SessionBlobs
from .definition import Definition
from .handles import Handles
from .options import Choice
from .outcomes import OutcomeBox
from .submission import Tasks, submit_many

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..blobs.blobs import Named
    from ..core.session import ClientSession

CHUNK_TASKS: Final = 1_000  # in one call: enough to make its fixed costs negligible
CHUNK_BYTES: Final = 1024 * 1024  # of payloads in one call; a larger one travels alone
CHUNK_BLOB_BYTES: Final = 256 * 1024 * 1024  # sent ahead of the tasks that name them, in one call
CALLS_UNDER_WAY: Final = 8
WATCHED_TASKS_MAX: Final = (
    100_000  # outcomes delivered before a reader exists: bounds the memory of this process
)


def submit_all(
    session: ClientSession,
    definition: Definition,
    choice: Choice,
    calls: Iterable[tuple[Any, ...]],
    *,
    single: bool,
) -> Handles[Any]:
    """``single``: every call has one argument."""
    submission = _MapSubmission(session, definition, choice, single)
    for tasks, named in submission.chunks(calls):
        if named:
            session.part(SessionBlobs).send(_all_of(named))
        for stored in submission.send(tasks, named):
            stored.result()
    for stored in submission.under_way:
        stored.result()
    return submission.handles


async def submit_all_async(
    session: ClientSession,
    definition: Definition,
    choice: Choice,
    calls: Iterable[tuple[Any, ...]],
    *,
    single: bool,
) -> Handles[Any]:
    """``submit_all`` for an event loop."""
    import asyncio

    submission = _MapSubmission(session, definition, choice, single)
    for tasks, named in submission.chunks(calls):
        if named:
            await asyncio.to_thread(session.part(SessionBlobs).send, _all_of(named))
        for stored in submission.send(tasks, named):
            await asyncio.wrap_future(stored)
    for stored in submission.under_way:
        await asyncio.wrap_future(stored)
    return submission.handles


class _MapSubmission:
    """The state of one map that is being submitted."""

    def __init__(self, session: ClientSession, definition: Definition, choice: Choice, single: bool) -> None:
        self._session, self._link, self._single = session, session.link, single
        self._definition, self._choice = definition, choice
        self._ids = IdSource()  # its own: tasks of others do not come in between
        self._box = OutcomeBox()
        self._room = max(0, WATCHED_TASKS_MAX - self._link.watched_tasks)
        self.handles: Handles[Any] = Handles(session, box=self._box, link=self._link)
        self.under_way: deque[Future[Any]] = deque()

    def chunks(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Tasks, Named]]:
        """Tasks with new ids, grouped into calls of a good size, and the blobs that they name."""
        arguments = self._definition.arguments
        names = () if arguments is None else arguments.names
        fit = None if arguments is None or (self._single and arguments.fits_plainly(1)) else arguments.fit
        payloads: list[bytes] = []
        kwargs: dict[str, Any] = {}
        met: list[Blob] = []
        named: dict[int, list[Blob]] = {}  # by the place in the chunk
        size = blobs_bytes = 0
        for args in calls:
            if fit is not None:  # skipped for the usual map: one argument, which fits
                args, kwargs = fit(args, {})
            payload = encode_call(args, kwargs, names, met)
            size += len(payload)
            if payloads and (
                size > CHUNK_BYTES or len(payloads) >= CHUNK_TASKS or blobs_bytes > CHUNK_BLOB_BYTES
            ):
                yield self._with_ids(payloads, named)
                payloads, named, size, blobs_bytes = [], {}, len(payload), 0
            if met:
                named[len(payloads)], met = met, []
                blobs_bytes += sum(blob.size for blob in named[len(payloads)])
            payloads.append(payload)
        if payloads:
            yield self._with_ids(payloads, named)

    def _with_ids(self, payloads: list[bytes], named: dict[int, list[Blob]]) -> tuple[Tasks, Named]:
        ids = consecutive_ids(self._ids.take(len(payloads)), len(payloads))
        return list(map(list, zip(ids, payloads, strict=True))), {
            ids[place]: blobs for place, blobs in named.items()
        }

    def send(self, tasks: Tasks, named: Named) -> Iterator[Future[Any]]:
        """Start a call; yields the earlier calls that must finish before the next may start."""
        ids = [task[0] for task in tasks]
        watch = len(tasks) <= self._room
        self._room = self._room - len(tasks) if watch else 0  # only a prefix is watched, without gaps
        self.under_way.append(
            submit_many(
                self._session,
                self._definition.name,
                self._choice,
                tasks,
                ids,
                self._box if watch else None,
                self._link,
                named,
            )
        )
        self.handles.submitted(ids, len(ids) if watch else 0)
        while len(self.under_way) >= CALLS_UNDER_WAY:
            yield self.under_way.popleft()


def _all_of(named: Named) -> list[Blob]:
    return [blob for blobs in named.values() for blob in blobs]
