"""The blobs of the running attempt: an argument is downloaded when it is opened, a result is uploaded.

Transfers run in threads of their own: a time limit is raised in the task's thread at any point, and in the middle of a frame
it would corrupt the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument
from ...common.values.blob import Blob, Content, Temporary
from ...common.values.transfer import download, upload
from ...common.wire.caller import PlainLink
from .shard_routes import of_task


class ChildBlobs:
    """See ``common.values.blob.Fetcher``."""

    def __init__(self, link: PlainLink, task: Callable[[], bytes | None]) -> None:
        """``task``: the id of the one that runs."""
        self._link, self._task = link, task
        self.here: dict[Blob, Content] = {}  # fetched in this attempt

    def send(self, blobs: Iterable[Blob]) -> list[bytes]:
        """Upload those that the master does not have. Returns the hashes of all."""
        # An empty one has no content to send.
        distinct = [blob for blob in dict.fromkeys(blobs) if blob.size]
        for blob in distinct:
            self._carry(lambda calls, blob=blob: upload(calls, blob))  # type: ignore[misc]
        return [blob.digest for blob in distinct]

    def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
        self._carry(lambda calls: download(calls, blob, write))

    def fetch(self, blob: Blob) -> Content:
        content = self.here.get(blob)
        if content is None:
            copy = Temporary()
            self.stream(blob, copy.write)
            content = self.here[blob] = copy
        return content

    def of_result(self, id: bytes) -> ChildBlobs:
        """Content is in the shard of the task that names it."""
        own = self._task()
        if own is None or shard_of_id(own) == shard_of_id(id):
            return self
        other = ChildBlobs(self._link, lambda: id)
        other.here = self.here  # which is emptied when the attempt ends
        return other

    def _carry(self, transfer: Callable[[_BlobCalls], None]) -> None:
        calls = _BlobCalls(self._link, self._task())
        ended: Future[None] = Future()

        def run() -> None:
            try:
                transfer(calls)
            except BaseException as error:
                ended.set_exception(error)
            else:
                ended.set_result(None)

        threading.Thread(target=run, name="tq-blob", daemon=True).start()
        try:
            ended.result()
        finally:
            # The thread may wait for a connection: it must not go on for a task that has ended.
            calls.is_wanted = False


class _BlobCalls:
    """See ``common.values.transfer.BlobCalls``. A call that is made again after a lost connection waits for the next one."""

    lasting = True

    def __init__(self, link: PlainLink, task: bytes | None) -> None:
        self._link, self._target = link, of_task(task, ("get_blobs",))
        self.is_wanted = True

    def call(self, method: str, *args: Any) -> Future[Any]:
        if not self.is_wanted:
            raise InvalidArgument("the task that made this call has ended")
        return self._link.call(self._target, method, *args)
