"""Blobs: content is uploaded to the master before a task names it, and downloaded when it is needed.

Transfers run in the threads that need them. Their calls share the session's one link with all other calls, so only a few
are under way at a time and other calls do not wait long behind them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.shards import shard_of_id
from ...common.errors import UnknownBlob, Unreachable
from ...common.values.blob import WIRE_MARK, Blob, Content, Temporary, fetched_by
from ...common.values.codec import decode
from ...common.values.transfer import download, upload

if TYPE_CHECKING:
    from ..core.session import ClientSession

BLOBS: Final = ("get_blobs",)
CALLS_UNDER_WAY: Final = 8  # of all transfers of a session: other calls wait behind at most 4 MiB
UPLOADS_AT_ONCE: Final = 4  # small files mostly wait for the master's disk: in parallel they wait less
# Content seen on the master is not checked again for so long; the master keeps it an hour
KEPT_SECONDS: Final = 1_200.0

Named = dict[bytes, list[Blob]]  # the blobs in the arguments of tasks, by their ids


class SessionBlobs:
    """The blobs of a session: content is in the shard of the task that names it."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._by_shard: dict[int, ShardBlobs] = {}
        self._credits = threading.BoundedSemaphore(CALLS_UNDER_WAY)

    def of(self, shard: int) -> ShardBlobs:
        known = self._by_shard.get(shard)
        if known is None:
            known = self._by_shard.setdefault(shard, ShardBlobs(self._session, shard, self._credits))
        return known


class ShardBlobs:
    """See ``common.values.blob.Fetcher`` and ``common.values.transfer.BlobCalls``. Thread-safe."""

    lasting = False  # the link repeats lost calls by itself

    def __init__(self, session: ClientSession, shard: int, credits: threading.BoundedSemaphore) -> None:
        self._session, self._shard, self._credits = session, shard, credits
        self._there: dict[bytes, float] = {}  # content that the master has, and when that was last certain

    def call(self, method: str, *args: Any) -> Future[Any]:
        self._credits.acquire()
        try:
            link = self._session.link
            if self._shard:
                future = link.call_shard(self._shard, BLOBS, method, args, repeatable=True)
            else:
                future = link.call(BLOBS, method, args, repeatable=True)
        except BaseException:
            self._credits.release()
            raise
        future.add_done_callback(lambda _: self._credits.release())
        return future

    def send(self, blobs: Iterable[Blob]) -> None:
        """Upload those that the master does not have yet."""
        now = time.monotonic()
        missing = {
            blob.digest: blob for blob in blobs if now - self._there.get(blob.digest, -1e9) > KEPT_SECONDS
        }
        if len(missing) < 2:
            for blob in missing.values():
                upload(self, blob)
        else:
            self._send_many(missing.values())
        self._there.update(dict.fromkeys(missing, now))

    def _send_many(self, blobs: Iterable[Blob]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        uploads = _StoppableUploads(self)
        threads = ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="tq-upload")
        try:
            for _ in threads.map(lambda blob: upload(uploads, blob), blobs):
                continue
        finally:  # after an error or Ctrl-C no upload is begun, and those under way stop at their next chunk
            uploads.is_stopped = True
            threads.shutdown(cancel_futures=True)

    def submitted(self, named: Named, done: Future[Any]) -> None:
        """The result of a submit that names these blobs. If the master lacks their content, upload it again next time."""
        if not done.cancelled() and isinstance(done.exception(), UnknownBlob):
            for blobs in named.values():
                for blob in blobs:
                    self._there.pop(blob.digest, None)

    def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
        download(self, blob, write)

    def fetch(self, blob: Blob) -> Content:
        copy = Temporary()
        download(self, blob, copy.write)
        return copy

    def of_result(self, id: bytes) -> ShardBlobs:
        """A program reads no results among arguments."""
        return self


class _StoppableUploads:
    """The calls of several uploading threads, until one of them fails."""

    lasting = False

    def __init__(self, blobs: ShardBlobs) -> None:
        self._blobs = blobs
        self.is_stopped = False

    def call(self, method: str, *args: Any) -> Future[Any]:
        if self.is_stopped:
            raise Unreachable("the upload was stopped because another one failed")
        return self._blobs.call(method, *args)


def to_wire(named: Named | None) -> list[list[Any]]:
    """The blobs of tasks, as a submit sends them: ``[id, digests]`` for each task."""
    return [
        [id, list(dict.fromkeys(blob.digest for blob in blobs if blob.size))]
        for id, blobs in (named or {}).items()
    ]


def decode_result(session: ClientSession | None, body: bytes, id: bytes) -> Any:
    """Decode the result of a task; blobs in it fetch their content through that session."""
    if session is None or WIRE_MARK not in body:
        return decode(body)
    with fetched_by(session.part(SessionBlobs).of(shard_of_id(id))):
        return decode(body)
