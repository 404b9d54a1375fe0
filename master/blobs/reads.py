"""Reads of content: a bounded number at a time, and none for a session that has not received the previous ones. Sessions take turns.

Without these limits, three hundred workers that read large content at once would have all of it in the master's memory, queued
before the answers to their lease calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from ...common.errors import StoreError, TqError
from ..engine.session import Call, Session
from ..store.interface.blobs import BlobRow
from .files import BlobFiles

READS_MAX: Final = 16  # at a time, of all sessions
READS_PER_SESSION_MAX: Final = 2
UNSENT_BYTES_MAX: Final = 1024 * 1024  # in a session's buffer; beyond it its reads wait


class DiskReader(Protocol):
    def read(self, job: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None: ...


class _Wanted(NamedTuple):
    call: Call
    row: BlobRow
    offset: int
    length: int


class Reads:
    RECHECK_MS: Final = 5  # until a full buffer is checked again

    def __init__(self, files: BlobFiles, disk: DiskReader) -> None:
        self._files, self._disk = files, disk
        self._waiting: dict[Session, deque[_Wanted]] = {}
        self._under_way: dict[Session, int] = {}

    @property
    def congested(self) -> bool:
        """Whether a session's reads wait only for its peer to receive the previous ones."""
        return any(not self._under_way.get(session) for session in self._waiting)

    def ask(self, call: Call, row: BlobRow, offset: int, length: int) -> None:
        self._waiting.setdefault(call.session, deque()).append(_Wanted(call, row, offset, length))
        self.start()

    def start(self) -> None:
        """Begin the reads that are allowed to; sessions take turns."""
        for session in list(self._waiting):
            if sum(self._under_way.values()) >= READS_MAX:
                return
            if not session.open:
                del self._waiting[session]
            elif self._may_begin(session):
                wanted = self._waiting.pop(session)
                one = wanted.popleft()
                if wanted:
                    self._waiting[session] = wanted  # after all other sessions
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
