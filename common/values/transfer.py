"""Content on its way to a master and back: chunks in order, a few of them under way, the hash checked at the end.

::

    upload:    ask ─► how much is there ─► put, put, put, …  each answered with how much there is then
    download:  get, get, get, …

Calls are made on a ``Line``, by the thread that wants the content; it holds no more than the chunks that are
under way. An answer other than expected (the master was restarted, its disk is behind) is no error: what is
under way is waited for, and it goes on from where the master is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, BinaryIO, Final, Protocol

from ..errors import DecodeError, InvalidArgument, ProtocolError, StoreError, Unreachable
from .blob import CHUNK_BYTES, Blob, new_hash

WINDOW: Final = 4  # chunks of one transfer under way
QUESTION_BYTES: Final = 64 * 1024  # what is smaller is sent without asking whether it is there
IDLE_ROUNDS_MAX: Final = 20  # in which the master took nothing, then it is given up
PAUSE_SECONDS_MAX: Final = 2.0

_nothing = threading.Event()


class Line(Protocol):
    """Calls ``get_blobs()`` of a master. ``lasting``: a call that fails as Unreachable may be made again."""

    lasting: bool

    def call(self, method: str, *args: Any) -> Future[Any]: ...


def upload(line: Line, blob: Blob) -> None:
    """See that the master has it; afterwards it keeps it for an hour, or as long as a task names it."""
    if not blob.size:
        return
    have = 0 if blob.size <= QUESTION_BYTES else _ask(line, blob)
    idle_rounds = 0
    while have < blob.size:
        with blob.open() as file:
            reached = _send(line, blob, file, have)
        idle_rounds = 0 if reached > have else idle_rounds + 1
        if idle_rounds > IDLE_ROUNDS_MAX:
            raise StoreError(f"the master took nothing of {blob} any more; its log may say why")
        if idle_rounds:
            _nothing.wait(min(PAUSE_SECONDS_MAX, 0.01 * 2**idle_rounds))
        have = reached


def download(line: Line, blob: Blob, write: Callable[[bytes], object]) -> None:
    """Get all of it. Raises DecodeError when what came was not what the hash says: then nothing is to be kept."""
    hasher = new_hash()
    under_way: deque[tuple[int, int, Future[Any]]] = deque()
    asked = 0
    while asked < blob.size or under_way:
        while asked < blob.size and len(under_way) < WINDOW:
            length = min(CHUNK_BYTES, blob.size - asked)
            under_way.append((asked, length, line.call("get", blob.digest, asked, length)))
            asked += length
        offset, length, future = under_way.popleft()
        try:
            data = future.result()
        except Unreachable:
            if not line.lasting:
                raise
            asked = offset
            under_way.clear()
            continue
        if type(data) is not bytes or len(data) != length:
            raise ProtocolError(f"{length:,} bytes of a blob were asked for, and others came")
        hasher.update(data)
        write(data)
    if hasher.digest() != blob.digest:
        raise DecodeError(
            f"what the master has of {blob} is damaged: it does not have that hash. Remove the file "
            f"blobs/{blob.hash[:2]}/{blob.hash[2:]} from its data directory, and submit the content again"
        )


def _ask(line: Line, blob: Blob) -> int:
    while True:
        try:
            return int(line.call("ask", blob.digest, blob.size).result())
        except Unreachable:
            if not line.lasting:
                raise


def _send(line: Line, blob: Blob, file: BinaryIO, have: int) -> int:
    """Send from ``have`` on to the end, or until an answer is not as expected; how much the master has then."""
    file.seek(have)
    position, told = have, have
    under_way: deque[tuple[int, Future[Any]]] = deque()
    going, broken = True, False
    while under_way or (going and position < blob.size):
        while going and position < blob.size and len(under_way) < WINDOW:
            data = file.read(min(CHUNK_BYTES, blob.size - position))
            if not data:
                raise InvalidArgument(f"the content of {blob} has become shorter; make the Blob anew")
            future = line.call("put", blob.digest, blob.size, position, data)
            position += len(data)
            under_way.append((position, future))
        expected, future = under_way.popleft()
        try:
            told = int(future.result())
        except Unreachable:
            if not line.lasting:
                raise
            going, broken = False, True
            continue
        going = going and told >= expected
    return _ask(line, blob) if broken else told
