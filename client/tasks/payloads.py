"""Encodes the calls of a map, many at once where they are plain, and cuts them into submits of a good size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.errors import InvalidArgument
from ...common.values.batches import encode_plain_calls
from ...common.values.codec import encode_call

if TYPE_CHECKING:
    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from .definition import Definition
    from .needs import GatheredNeeds

CHUNK_TASKS: Final = 1_000  # in one call: enough to make its fixed costs negligible
CHUNK_BYTES: Final = 1024 * 1024  # of payloads in one call; a larger one travels alone
CHUNK_BLOB_BYTES: Final = 256 * 1024 * 1024  # sent ahead of the tasks that name them, in one call
CHUNK_NEEDS: Final = 5_000  # runs of what its tasks need, in one call
PORTION_CALLS: Final = 250  # read and encoded at once
PORTION_BYTES: Final = CHUNK_BYTES // 4  # expected of them by those before: large items are read one by one
PORTION_GROWTH: Final = 4  # from a single call on, whose size nothing predicts


class EncodedCalls(NamedTuple):
    """The payloads of one submit. ``blobs``: that they name, ``needs``: the tasks whose results they need, by their places."""

    payloads: list[bytes]
    blobs: dict[int, list[Blob]]
    needs: dict[int, list[IdRun]]


class RefusedCall(NamedTuple):
    """The first of some calls that cannot be sent, by its place, and why."""

    place: int
    error: Exception


Note = Callable[[Sequence[tuple[Any, ...]]], RefusedCall | None]


class CallEncoder:
    """``calls``: the positional arguments of each. They are read as the chunks are taken, at most PORTION_CALLS ahead. ``note``: called
    with each portion that was read, in order, before it is encoded."""

    def __init__(
        self,
        definition: Definition,
        calls: Iterable[tuple[Any, ...]],
        needs: GatheredNeeds,
        note: Note | None = None,
    ) -> None:
        self._needs, self._note = needs, note
        self._arguments, self._calls = definition.arguments, iter(calls)
        self._names = () if self._arguments is None else self._arguments.names
        self._read = 0  # how many calls came before those that are encoded now
        self._start()

    def _start(self) -> None:
        self._gathered = EncodedCalls([], {}, {})
        self._bytes = self._blob_bytes = self._need_runs = 0

    def chunks(self) -> Iterator[EncodedCalls]:
        """All calls. An error of the iterable, or of a call that cannot be sent, is raised after the chunk of those before."""
        size = 1
        error: Exception | None = None
        while error is None:
            calls: list[tuple[Any, ...]] = []
            try:
                calls.extend(islice(self._calls, size))  # keeps what came before an error
            except Exception as raised:
                error = raised
                # Of what the map itself asks of an item, such as what it is indexed by, and not of the caller's own iterable.
                if isinstance(error, InvalidArgument):
                    _name_item(error, self._read + len(calls))
            if self._note is not None and calls and (refused := self._note(calls)) is not None:
                error = refused.error
                _name_item(error, self._read + refused.place)
                del calls[refused.place :]
            if not calls:
                break
            total = 0
            try:
                for payloads, met in self._encoded(calls):
                    total += sum(map(len, payloads))
                    yield from self._gather(payloads, met, self._needs.take())
            except Exception as raised:
                error = raised
            self._read += len(calls)
            # By the mean of the last portion: items that become large are met after one portion, not after a chunk.
            fitting = max(1, PORTION_BYTES * len(calls) // max(1, total))
            room = CHUNK_TASKS - len(self._gathered.payloads)
            size = min(PORTION_CALLS, PORTION_GROWTH * len(calls), fitting, room)
        if self._gathered.payloads:
            yield self._gathered
        if error is not None:
            raise error

    def _encoded(self, calls: list[tuple[Any, ...]]) -> Iterator[tuple[list[bytes], list[Blob]]]:
        """Payloads, all at once or one by one with the blobs of each."""
        arguments = self._arguments
        if arguments is None or all(map(arguments.fits_plainly, set(map(len, calls)))):
            payloads = encode_plain_calls(calls)
            if payloads is not None:
                yield payloads, []
                return
        for place, args in enumerate(calls):
            kwargs: dict[str, Any] = {}
            met: list[Blob] = []
            try:
                if arguments is not None:
                    args, kwargs = arguments.fit(args, kwargs)
                payload = encode_call(args, kwargs, self._names, met, self._needs)
            except Exception as error:
                _name_item(error, self._read + place)
                raise
            yield [payload], met

    def _gather(self, payloads: list[bytes], met: list[Blob], needs: list[IdRun]) -> Iterator[EncodedCalls]:
        """Add payloads, no more than there are missing; yields the chunk before them if they are too large for it, and the
        one that they complete."""
        size = sum(map(len, payloads))
        if len(payloads) > 1 and self._bytes + size > CHUNK_BYTES:
            # Encoded together and too large together: gathered one by one, so that the chunks fill up.
            for payload in payloads:
                yield from self._gather([payload], [], [])
            return
        if self._gathered.payloads and (
            self._bytes + size > CHUNK_BYTES
            or self._blob_bytes > CHUNK_BLOB_BYTES
            or bool(needs) != bool(self._gathered.needs)  # those that need others travel apart
            or self._need_runs + len(needs) > CHUNK_NEEDS
        ):
            yield self._gathered
            self._start()
        if met:
            self._gathered.blobs[len(self._gathered.payloads)] = met
            self._blob_bytes += sum(blob.size for blob in met)
        if needs:
            self._gathered.needs[len(self._gathered.payloads)] = needs
            self._need_runs += len(needs)
        self._gathered.payloads.extend(payloads)
        self._bytes += size
        if len(self._gathered.payloads) >= CHUNK_TASKS:
            yield self._gathered
            self._start()


def _name_item(error: Exception, number: int) -> None:
    """Say which of the items cannot be submitted: of a hundred thousand, its path alone finds none."""
    error.add_note(f"it is item {number:,} of the map, counted from 0")
