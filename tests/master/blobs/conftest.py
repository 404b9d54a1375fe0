"""An engine with blobs on a real directory; its disk works on command, in the same thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.values.blob import Blob
from tq.master.blobs.blobs import Blobs
from tq.master.blobs.files import RESERVE_BYTES, BlobFiles
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench, OpenKept, Peer

Then = Callable[[Any, BaseException | None], None]


class SlowDisk:
    """See ``disk.DiskThreads``: jobs stand in line until ``work``."""

    def __init__(self, later: Callable[[Callable[[], None]], None]) -> None:
        self._later = later
        self.jobs: deque[tuple[Callable[[], Any], Then]] = deque()

    def write(self, job: Callable[[], Any], then: Then) -> None:
        self.jobs.append((job, then))

    read = write

    def work(self, jobs: int = 10**9) -> None:
        while self.jobs and jobs:
            jobs -= 1
            job, then = self.jobs.popleft()
            try:
                value, error = job(), None
            except Exception as raised:
                value, error = None, raised
            self._later(lambda value=value, error=error, then=then: then(value, error))  # type: ignore[misc]


class BlobBench(Bench):
    """``free``: bytes the disk says it has."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        super().__init__(store)
        self.free = 10**12
        self.files = BlobFiles(folder, sync=False, free=lambda _: self.free)
        self.files.prepare()
        self.disk = SlowDisk(self.engine.later)
        self.engine.part(Blobs).serve(self.files, self.disk)

    def settle(self) -> None:
        """Until there is nothing left to do."""
        self.step()
        while self.disk.jobs:
            self.disk.work()
            self.step()

    def ask_blobs(self, peer: Peer, method: str, *args: Any) -> Any:
        """Call and let the disk work; the answer, or what it raises."""
        call_id = peer.ask("get_blobs", method, *args)
        self.settle()
        return peer.answer(call_id)

    def upload(self, peer: Peer, data: bytes, chunk: int = 10) -> Blob:
        blob = Blob.of(data)
        for offset in range(0, len(data), chunk):
            part = data[offset : offset + chunk]
            assert self.ask_blobs(peer, "put", blob.digest, blob.size, offset, part) == offset + len(part)
        return blob

    def content(self, blob: Blob) -> bytes | None:
        """What stands on the disk under the blob's name."""
        path = self.files.path(blob.digest)
        return path.read_bytes() if path.exists() else None

    def fill_disk(self, left: int) -> None:
        self.free = RESERVE_BYTES + left


@pytest.fixture
def bench(open_kept: OpenKept, tmp_path: Path) -> BlobBench:
    return BlobBench(open_kept(), tmp_path / "blobs")
