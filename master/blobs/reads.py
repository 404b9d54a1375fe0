"""Content on its way out: a bounded number of reads at a time, and none for who has not read the last.

Without that, three hundred workers that ask at once for large content would have it all in the master's
memory, in front of their own leases. Sessions take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from ...common.errors import StoreError, TqError
from ..engine.session import Call, Session
from ..store.interface.blobs import BlobRow
from .files import BlobFiles

READS_MAX: Final = 16  # at a time, of everybody
READS_PER_SESSION_MAX: Final = 2
UNSENT_BYTES_MAX: Final = 1024 * 1024  # in a session's buffer, then its reads wait


class DiskReader(Protocol):
    def read(self, job: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None: ...


class _Wanted(NamedTuple):
    call: Call
    row: BlobRow
    offset: int
    length: int


class Reads:
    RECHECK_MS: Final = 5  # then a full buffer is looked at again

    def __init__(self, files: BlobFiles, disk: DiskReader) -> None:
        self._files, self._disk = files, disk
        self._waiting: dict[Session, deque[_Wanted]] = {}
        self._under_way: dict[Session, int] = {}

    @property
    def congested(self) -> bool:
        """Whether some wait for nothing but their peer."""
        return any(not self._under_way.get(session) for session in self._waiting)

    def ask(self, call: Call, row: BlobRow, offset: int, length: int) -> None:
        self._waiting.setdefault(call.session, deque()).append(_Wanted(call, row, offset, length))
        self.start()

    def start(self) -> None:
        """Begin what may begin; each session one in its turn."""
        for session in list(self._waiting):
            if sum(self._under_way.values()) >= READS_MAX:
                return
            if not session.open:
                del self._waiting[session]
            elif self._may_begin(session):
                wanted = self._waiting.pop(session)
                one = wanted.popleft()
                if wanted:
                    self._waiting[session] = wanted  # behind all others
                self._begin(session, one)

    def _may_begin(self, session: Session) -> bool:
        under_way = self._under_way.get(session, 0)
        return under_way < READS_PER_SESSION_MAX and session.wire.unsent_bytes() < UNSENT_BYTES_MAX

    def _begin(self, session: Session, one: _Wanted) -> None:
        self._under_way[session] = self._under_way.get(session, 0) + 1

        def done(data: bytes, error: BaseException | None) -> None:
            self._under_way[session] -= 1
            if not self._under_way[session]:
                del self._under_way[session]
            if error is None:
                one.call.answer(data)
            else:
                one.call.refuse(
                    error if isinstance(error, TqError) else StoreError(f"it cannot be read: {error}")
                )
            self.start()

        row = one.row
        self._disk.read(lambda: self._files.read(row.hash, row.size, one.offset, one.length), done)
