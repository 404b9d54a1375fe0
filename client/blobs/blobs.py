"""Blobs: content to the master before a task names it, and back from it when it is wanted.

Transfers run in the threads that want them; calls go over the session's one link, so few of them at a time that
whatever else the program says is not kept waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ...common.errors import UnknownBlob, Unreachable
from ...common.values.blob import WIRE_MARK, Blob, Content, Temporary, fetched_by
from ...common.values.codec import decode
from ...common.values.transfer import download, upload

if TYPE_CHECKING:
    from ..core.session import ClientSession

BLOBS: Final = ("get_blobs",)
CALLS_UNDER_WAY: Final = 8  # of all transfers of a session: 4 MiB stand before whatever else it sends
UPLOADS_AT_ONCE: Final = 4  # small files wait for the master's disk: together they wait less
KEPT_SECONDS: Final = 1_200.0  # content that was there is not asked for again; the master keeps it an hour

Named = dict[bytes, list[Blob]]  # the blobs in the arguments of tasks, by their ids


class SessionBlobs:
    """See ``common.values.blob.Fetcher`` and ``common.values.transfer.Line``. Thread-safe."""

    lasting = False  # the link makes lost calls again by itself

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._credits = threading.BoundedSemaphore(CALLS_UNDER_WAY)
        self._there: dict[bytes, float] = {}  # content the master has, and when that was certain

    def call(self, method: str, *args: Any) -> Future[Any]:
        self._credits.acquire()
        try:
            future = self._session.link.call(BLOBS, method, args, repeatable=True)
        except BaseException:
            self._credits.release()
            raise
        future.add_done_callback(lambda _: self._credits.release())
        return future

    def send(self, blobs: Iterable[Blob]) -> None:
        """See that the master has all of these."""
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

        line = _Cuttable(self)
        threads = ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="tq-upload")
        try:
            for _ in threads.map(lambda blob: upload(line, blob), blobs):
                continue
        finally:  # after an error or Ctrl-C nothing more is begun, and what is under way ends with its next chunk
            line.is_cut = True
            threads.shutdown(cancel_futures=True)

    def submitted(self, named: Named, done: Future[Any]) -> None:
        """The tasks that name these were stored, or not: a master that does not know them is asked again."""
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


class _Cuttable:
    """A line that several threads use, until one of them has failed."""

    lasting = False

    def __init__(self, blobs: SessionBlobs) -> None:
        self._blobs = blobs
        self.is_cut = False

    def call(self, method: str, *args: Any) -> Future[Any]:
        if self.is_cut:
            raise Unreachable("the upload was given up, for another one failed")
        return self._blobs.call(method, *args)


def to_wire(named: Named | None) -> list[list[Any]]:
    """What a submit says of its tasks' blobs."""
    return [
        [id, list(dict.fromkeys(blob.digest for blob in blobs if blob.size))]
        for id, blobs in (named or {}).items()
    ]


def decode_result(session: ClientSession | None, body: bytes) -> Any:
    """A result; blobs in it get their content through that session."""
    if session is None or WIRE_MARK not in body:
        return decode(body)
    with fetched_by(session.part(SessionBlobs)):
        return decode(body)
