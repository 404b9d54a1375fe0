"""The blobs of the attempt that runs: what it was given is fetched when it is opened, what it returns is sent.

Transfers are made by threads of their own: a time limit is raised in the task's thread wherever that stands,
and in the midst of a frame it would spoil the line for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from ...common.errors import InvalidArgument
from ...common.values.blob import Blob, Content, Temporary
from ...common.values.transfer import download, upload
from ...common.wire.caller import Link


class ChildBlobs:
    """See ``common.values.blob.Fetcher``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.here: dict[Blob, Content] = {}  # fetched in this attempt

    def send(self, blobs: Iterable[Blob]) -> list[bytes]:
        """See that the master has all of these; their hashes."""
        distinct = [blob for blob in dict.fromkeys(blobs) if blob.size]
        for blob in distinct:
            self._carry(lambda line, blob=blob: upload(line, blob))  # type: ignore[misc]
        return [blob.digest for blob in distinct]

    def stream(self, blob: Blob, write: Callable[[bytes], object]) -> None:
        self._carry(lambda line: download(line, blob, write))

    def fetch(self, blob: Blob) -> Content:
        content = self.here.get(blob)
        if content is None:
            copy = Temporary()
            self.stream(blob, copy.write)
            content = self.here[blob] = copy
        return content

    def _carry(self, transfer: Callable[[_Line], None]) -> None:
        line = _Line(self._link)
        ended: Future[None] = Future()

        def run() -> None:
            try:
                transfer(line)
            except BaseException as error:
                ended.set_exception(error)
            else:
                ended.set_result(None)

        threading.Thread(target=run, name="tq-blob", daemon=True).start()
        try:
            ended.result()
        finally:
            line.is_wanted = False


class _Line:
    """See ``common.values.transfer.Line``. Calls that are lost with a connection wait for the next one when made again."""

    lasting = True

    def __init__(self, link: Link) -> None:
        self._link = link
        self.is_wanted = True

    def call(self, method: str, *args: Any) -> Future[Any]:
        if not self.is_wanted:
            raise InvalidArgument("the task that wanted this has ended")
        return self._link.call(("get_blobs",), method, *args)
