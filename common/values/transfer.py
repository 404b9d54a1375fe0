"""Content on its way to a master and back: chunks in order, a few of them under way, the hash checked at the end.

::

    upload:    ask ─► how much is there ─► put, put, put, …  each answered with how much there is then
    download:  get, get, get, …

Calls are made on a ``BlobCalls``, by the thread that needs the content; only the chunks under way are in memory. An answer
other than expected (the master was restarted, its disk is behind) is no error: the chunks under way are waited for, and the
transfer continues where the master is.
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
QUESTION_BYTES: Final = 64 * 1024  # smaller content is sent without asking whether the master has it
IDLE_ROUNDS_MAX: Final = 20  # in which the master accepted nothing: then the transfer fails
PAUSE_SECONDS_MAX: Final = 2.0

_nothing = threading.Event()


class BlobCalls(Protocol):
    """Calls ``get_blobs()`` of a master. ``lasting``: a call that fails as Unreachable may be made again."""

    lasting: bool

    def call(self, method: str, *args: Any) -> Future[Any]: ...


def upload(calls: BlobCalls, blob: Blob) -> None:
    """Send it unless the master has it. The master keeps it for an hour, or as long as a task refers to it."""
    if not blob.size:
        return
    have = 0 if blob.size <= QUESTION_BYTES else _ask(calls, blob)
    idle_rounds = 0
    while have < blob.size:
        with blob.open() as file:
            reached = _send(calls, blob, file, have)
        idle_rounds = 0 if reached > have else idle_rounds + 1
        if idle_rounds > IDLE_ROUNDS_MAX:
            raise StoreError(f"the master accepts no more of {blob}; its log may say why")
        if idle_rounds:
            _nothing.wait(min(PAUSE_SECONDS_MAX, 0.01 * 2**idle_rounds))
        have = reached


def download(calls: BlobCalls, blob: Blob, write: Callable[[bytes], object]) -> None:
    """Receive all of it. Raises DecodeError when the content does not have this hash; the caller must keep nothing then."""
    hasher = new_hash()
    under_way: deque[tuple[int, int, Future[Any]]] = deque()
    asked = 0
    while asked < blob.size or under_way:
        while asked < blob.size and len(under_way) < WINDOW:
            length = min(CHUNK_BYTES, blob.size - asked)
            under_way.append((asked, length, calls.call("get", blob.digest, asked, length)))
            asked += length
        offset, length, future = under_way.popleft()
        try:
            data = future.result()
        except Unreachable:
            if not calls.lasting:
                raise
            asked = offset
            under_way.clear()
            continue
        if type(data) is not bytes or len(data) != length:
            raise ProtocolError(
                f"{length:,} bytes of a blob were requested, and the answer has another length"
            )
        hasher.update(data)
        write(data)
    if hasher.digest() != blob.digest:
        raise DecodeError(
            f"what the master has of {blob} is damaged: it does not have that hash. Remove the file "
            f"blobs/{blob.hash[:2]}/{blob.hash[2:]} from its data directory, and submit the content again"
        )


def _ask(calls: BlobCalls, blob: Blob) -> int:
    while True:
        try:
            return int(calls.call("ask", blob.digest, blob.size).result())
        except Unreachable:
            if not calls.lasting:
                raise


def _send(calls: BlobCalls, blob: Blob, file: BinaryIO, have: int) -> int:
    """Send from ``have`` on to the end, or until an answer is not as expected. Returns how much the master has then."""
    file.seek(have)
    position, reached = have, have
    under_way: deque[tuple[int, Future[Any]]] = deque()
    going, broken = True, False
    while under_way or (going and position < blob.size):
        while going and position < blob.size and len(under_way) < WINDOW:
            data = file.read(min(CHUNK_BYTES, blob.size - position))
            if not data:
                raise InvalidArgument(f"the content of {blob} has become shorter; make a new Blob of it")
            future = calls.call("put", blob.digest, blob.size, position, data)
            position += len(data)
            under_way.append((position, future))
        expected, future = under_way.popleft()
        try:
            reached = int(future.result())
        except Unreachable:
            if not calls.lasting:
                raise
            going, broken = False, True
            continue
        going = going and reached >= expected
    return _ask(calls, blob) if broken else reached
