"""The life of content in the master: uploaded, read, referenced by tasks, deleted. Only decisions; the disk's threads do the I/O.

::

    ask, put, get ─► Blobs ─► disk.write / disk.read (threads) ─► a job of a later transaction ─► the answer
                        └─► rows of the store, in the transaction in which they are changed

Invariants: 1. a row is written only after its file is complete, verified and synced, and a file is removed only
after the deletion of its row is committed: a task that names content finds it; 2. content with a row is kept as long as a task
references it, and for an hour after a client last asked for it; 3. ``sweep`` removes files without a row, one folder at a time, except
those that are being placed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Final

from ...common.errors import InvalidArgument, StoreError, TqError, UnknownBlob
from ...common.values.blob import BLOB_BYTES_MAX, HASH_BYTES
from ...common.values.brief import brief
from ..engine.agenda import Agenda
from ..engine.clock import Now, Timeline
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from ..store.interface.blobs import BlobRow
from ..store.interface.store import Store
from .disk import DiskThreads, Then
from .files import BlobFiles, damaged
from .reads import Reads
from .sweep import Sweep
from .uploads import Client, Upload, Uploads

CHUNK_BYTES_MAX: Final = 1024 * 1024  # in one call
# How long content stays after it was sent or asked for, without a task that names it
KEEP_MS: Final = 3_600_000
# With less than this left, asking for the content extends it, which costs a write
KEEP_AGAIN_MS: Final = KEEP_MS // 2
# Of chunks that wait for the disk, of all clients; beyond it chunks are not accepted
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
COLLECT_BLOBS_MAX: Final = 100  # in one transaction
COLLECT_EVERY_MS: Final = 10_000
SWEEP_EVERY_MS: Final = 3_600_000
COLLECT, SWEEP, READS = "collect", "sweep", "reads"  # the keys of ``Blobs.due``


class Blobs(Part):
    """A master has blobs once ``serve`` was called."""

    name = "blobs"

    def __init__(self, store: Store, timeline: Timeline, agenda: Agenda, report: Callable[..., None]) -> None:
        self._store, self._timeline, self._agenda, self._report = store, timeline, agenda, report
        self._uploads = Uploads()
        self._waiting_bytes = 0
        self._placing: set[bytes] = set()  # their file is being placed, and their row is not committed yet
        self._placed: list[bytes] = []  # of these, those whose row is written in this transaction
        self._removed_rows: list[bytes] = []  # their row is deleted in this transaction
        self._damaged: set[bytes] = set()  # their file was found damaged: it is uploaded again

    def serve(self, files: BlobFiles, disk: DiskThreads) -> None:
        self._files, self._disk = files, disk
        self._reads = Reads(files, disk)
        self._sweep = Sweep(self._store.blobs, files, disk, self._placing, self._removed, self._report)
        self._agenda.set(self, COLLECT, 0)
        self._agenda.set(self, SWEEP, 0)

    @property
    def is_serving(self) -> bool:
        return hasattr(self, "_files")

    # calls

    def ask(self, call: Call, hash: bytes, size: int) -> object:
        """How many bytes the master has: all of them (which then stay for an hour), or those of an unfinished upload."""
        self._check(hash, size)
        row = self._row(hash, size)
        return self._bytes_here(call, hash) if row is None else self._confirm(call, row)

    def put(self, call: Call, hash: bytes, size: int, offset: int, data: bytes) -> object:
        """Accept the next bytes; answers how many the master then has. All of them: the content is verified, synced and stored. An
        answer below the end of this chunk means that it was not accepted: continue from there."""
        self._check(hash, size)
        if type(data) is not bytes or not 0 < len(data) <= min(CHUNK_BYTES_MAX, size):
            raise InvalidArgument(
                f"data must be 1 to {CHUNK_BYTES_MAX:,} bytes, and no more than the content"
            )
        if type(offset) is not int or not 0 <= offset <= size - len(data):
            raise InvalidArgument(f"offset must be a whole number from 0 to {size - len(data):,}")
        upload = self._uploads.find(_client(call.session), hash)
        if upload is None:
            row = self._row(hash, size)
            if row is not None:
                return self._confirm(call, row)
            if offset:
                return 0
            upload = self._open(call.session, hash, size)
        if upload.size != size:
            raise InvalidArgument(f"this content was announced with {upload.size:,} bytes, not {size:,}")
        upload.touched = self._timeline.now.mono
        if upload.taken == size:  # the last chunk again, after a lost connection: it gets the same answer
            upload.last.append(call)
            return LATER
        if offset != upload.taken or self._waiting_bytes + len(data) > WAITING_BYTES_MAX:
            return upload.taken
        self._take(call, upload, data)
        return LATER

    def get(self, call: Call, hash: bytes, offset: int, length: int) -> object:
        """Read some bytes of content."""
        self._check(hash, BLOB_BYTES_MAX)
        row = self._store.blobs.find(hash)
        if row is None:
            raise unknown(hash)
        if type(length) is not int or not 1 <= length <= CHUNK_BYTES_MAX:
            raise InvalidArgument(f"length must be a whole number from 1 to {CHUNK_BYTES_MAX:,}")
        if type(offset) is not int or not 0 <= offset <= row.size - length:
            raise InvalidArgument(f"offset must be a whole number from 0 to {row.size - length:,}")
        self._reads.ask(call, row, offset, length)
        return LATER

    # tasks

    def numbers(self, hashes: Iterable[bytes]) -> list[int]:
        """The rows of the content that a task names; UnknownBlob when one is missing."""
        found: list[int] = []
        for hash in hashes:
            row = self._store.blobs.find(hash)
            if row is None:
                raise unknown(hash)
            self._uploads.settled(hash)
            found.append(row.number)
        return found

    # the transaction

    def begin(self) -> None:
        if self.is_serving and self._reads.congested:
            self._reads.start()

    def due(self, key: Hashable, now: Now) -> None:
        if key == COLLECT:
            self._collect(now)
        elif key == SWEEP:
            self._agenda.set(self, SWEEP, now.mono + SWEEP_EVERY_MS)
            self._sweep.begin()

    def settle(self, now: Now) -> None:
        if self.is_serving and self._reads.congested:
            self._agenda.set(self, READS, now.mono + self._reads.RECHECK_MS)

    def committed(self) -> None:
        """The transaction is durable: now the files of deleted rows can be removed."""
        for hash in self._removed_rows:
            if hash not in self._placing:  # else the content is being uploaded again, and its file must stay
                self._disk.write(partial(self._files.remove, hash), self._removed)
        self._end()

    def void(self) -> Iterable[Session]:
        """The rows are unchanged, so no file is removed."""
        self._end()
        return ()

    def _end(self) -> None:
        self._placing.difference_update(self._placed)
        self._placed.clear()
        self._removed_rows.clear()

    # helpers

    def _check(self, hash: Any, size: Any) -> None:
        if not self.is_serving:
            raise InvalidArgument("this master keeps no blobs")
        if type(hash) is not bytes or len(hash) != HASH_BYTES:
            raise InvalidArgument(f"a hash has {HASH_BYTES} bytes")
        if type(size) is not int or not 1 <= size <= BLOB_BYTES_MAX:
            raise InvalidArgument(f"a blob has 1 to {BLOB_BYTES_MAX:,} bytes, not {brief(size)}")

    def _row(self, hash: bytes, size: int) -> BlobRow | None:
        row = None if hash in self._damaged else self._store.blobs.find(hash)
        if row is not None and row.size != size:
            raise InvalidArgument(f"the content with this hash has {row.size:,} bytes, not {size:,}")
        return row

    def _bytes_here(self, call: Call, hash: bytes) -> int:
        upload = self._uploads.find(_client(call.session), hash)
        return 0 if upload is None else upload.taken

    def _confirm(self, call: Call, row: BlobRow) -> object:
        """Answer that the content is here, once its file was checked, and keep it for a while."""

        def looked(size: int | None, error: BaseException | None) -> None:
            if error is not None:
                call.refuse(StoreError(damaged(row.hash, f"cannot be read: {error}")))
                return
            here = self._store.blobs.find(row.hash)  # it may have been deleted meanwhile
            if here is not None and size == here.size:
                if here.keep < self._timeline.now.steady + KEEP_AGAIN_MS:
                    self._store.blobs.keep(here.number, self._timeline.now.steady + KEEP_MS)
                call.answer(here.size)
                return
            if here is not None:
                self._damaged.add(row.hash)
                self._report(
                    "blob.damaged", level="error", blob=row.hash.hex(), bytes=size, of_bytes=row.size
                )
            call.answer(self._bytes_here(call, row.hash))

        self._disk.read(lambda: self._files.size_of(row.hash), _answering(call, looked))
        return LATER

    # uploads

    def _open(self, session: Session, hash: bytes, size: int) -> Upload:
        part = self._files.new_part(hash)
        upload = Upload(_client(session), hash, size, part, self._timeline.now.mono, session.account)
        self._uploads.open(upload)
        self._collect_later()
        return upload

    def _collect_later(self) -> None:
        if not self._agenda.has(self, COLLECT):
            self._agenda.set(self, COLLECT, self._timeline.now.mono + COLLECT_EVERY_MS)

    def _take(self, call: Call, upload: Upload, data: bytes) -> None:
        files, part = self._files, upload.part
        first, upload.taken = upload.taken == 0, upload.taken + len(data)
        reached, is_last = upload.taken, upload.taken == upload.size
        needed = self._uploads.promised_bytes + len(data) if first else 0
        self._waiting_bytes += len(data)
        if is_last:
            self._placing.add(upload.hash)

        def job() -> None:
            if first:
                files.check_room(part, needed)
            files.append(part, data)
            if is_last:
                files.finish(part)

        def done(_: Any, error: BaseException | None) -> None:
            self._waiting_bytes -= len(data)
            if error is not None:
                self._fail(call, upload, error, placing=is_last)
            elif is_last:
                self._stored(call, upload)
            else:
                call.answer(reached)

        self._disk.write(job, _answering(call, done))

    def _stored(self, call: Call, upload: Upload) -> None:
        self._placed.append(upload.hash)
        self._uploads.close(upload)
        for one in (call, *upload.last):
            one.answer(upload.size)
        self._store.blobs.put(
            upload.hash, upload.size, self._timeline.now.steady + KEEP_MS
        )  # if it fails, the transaction fails, and with it these answers
        self._damaged.discard(upload.hash)
        self._uploads.stored(upload)
        self._collect_later()

    def _fail(self, call: Call, upload: Upload, error: BaseException, *, placing: bool) -> None:
        if placing:
            self._placing.discard(upload.hash)
        self._uploads.close(upload)
        refusal = (
            error if isinstance(error, TqError) else StoreError(f"the upload failed: {brief(error, 200)}")
        )
        for one in (call, *upload.last):
            one.refuse(refusal)
        upload.last.clear()
        self._discard(upload)

    def _discard(self, upload: Upload) -> None:
        self._disk.write(lambda: self._files.discard(upload.part), self._removed)

    # deletion

    def _collect(self, now: Now) -> None:
        for upload in self._uploads.idle(now.mono):
            self._uploads.close(upload)
            self._discard(upload)
        self._removed_rows = self._store.blobs.collect(now.steady, COLLECT_BLOBS_MAX)
        for hash in self._removed_rows:
            self._uploads.settled(hash)
            self._damaged.discard(hash)
        if len(self._removed_rows) >= COLLECT_BLOBS_MAX:
            self._agenda.set(self, COLLECT, now.mono)
        elif self._store.blobs.any() or len(self._uploads):
            self._agenda.set(self, COLLECT, now.mono + COLLECT_EVERY_MS)

    def _removed(self, _: Any, error: BaseException | None) -> None:
        if error is not None:
            self._report("blob.not_removed", level="warning", error=str(error))


def _answering(call: Call, then: Then) -> Then:
    """Refuses the call if the store fails while the outcome of its job is handled, so that it is answered in any case."""

    def guarded(value: Any, error: BaseException | None) -> None:
        try:
            then(value, error)
        except StoreError as failure:
            call.refuse(failure)
            raise

    return guarded


def unknown(hash: bytes) -> UnknownBlob:
    return UnknownBlob(
        f"the master does not have blob {hash.hex()[:12]}…: it was never sent there, or it went with the last "
        "task that named it; create it again with tq.Blob.of"
    )


def _client(session: Session) -> Client:
    return session.verifier.key_id, session.node
