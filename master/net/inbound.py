"""The messages of one connection on their way in: whole, one after the other, and only as fast as its key may.

::

    plaintext ─► FrameReader ─► understand           Traffic says when, for all connections of a key
                     │ not now: the peer is not read from, until resume
                     └ a part of a message: counted; a long one needs room first

Invariants: 1. while nothing may be taken, nothing is read, so what is held has a bound; 2. what was counted is given
back by ``close`` at the latest; 3. a connection that waits is resumed by its key's traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, FrameReader
from ..engine.accounts import Account, Resource
from ..engine.traffic import FRAMES_AT_ONCE, LONG_BYTES, Traffic


class Peer(Protocol):
    """The connection's side."""

    def hold_up(self, traffic: Traffic) -> None:
        """Nothing is read from it from now on, because of its key's traffic."""

    def resume(self) -> None: ...
    def fail(self, error: Exception) -> None:
        """What it sent cannot be taken: a TqError, or a bug."""


class Inbound:
    """``understand``: takes a whole frame, and may raise a TqError, which is the connection's end."""

    def __init__(self, peer: Peer, understand: Callable[[int, memoryview], None]) -> None:
        self._peer, self._understand = peer, understand
        self._frames = FrameReader(HANDSHAKE_FRAME_BYTES_MAX)
        # None before admission: an unauthenticated connection has its few kilobytes
        self._account: Account | None = None
        self._counted = self._granted = 0
        self._waits = self._closed = False

    def admit(
        self, account: Account, frame_bytes_max: int, understand: Callable[[int, memoryview], None]
    ) -> None:
        """Its messages are a session's from now on: those of this key, with this limit, taken by ``understand``."""
        self._account, self._frames.frame_bytes_max = account, frame_bytes_max
        self._understand = understand

    def add(self, plaintext: bytes) -> bool:
        """Whether it was the end of a message, at least. Raises what ``understand`` does, and QuotaExceeded."""
        self._frames.add(plaintext)
        return self._take()

    def resume(self) -> None:
        """See ``traffic.Resumable``."""
        if self._closed:
            return
        self._waits = False
        try:
            self._take()
        except Exception as error:
            self._peer.fail(error)
        else:
            if not self._waits:
                self._peer.resume()

    def close(self) -> None:
        """The connection is gone. Twice is as once."""
        self._closed = True
        account, self._account = self._account, None
        if account is not None:
            account.give(Resource.INCOMING_BYTES, self._counted)
            account.traffic.forget(self)
            if self._granted:
                account.traffic.arrived(self._granted)

    def _take(self) -> bool:
        found = False
        while not self._closed and self._frames.may_have_one:
            account = self._account
            if account is not None and not account.traffic.is_open:
                account.traffic.hold_up(self)
                self._wait(account)
                break
            frames = self._frames.take(FRAMES_AT_ONCE)
            if not frames:
                break
            found = True
            if account is not None:
                account.traffic.took(len(frames), sum(len(body) for _, body in frames))
            for kind, body in frames:
                self._understand(kind, body)
        if self._account is not None:
            self._count(self._account)
        return found

    def _count(self, account: Account) -> None:
        """What has come of messages that were not taken; and whether a long one may go on."""
        more = self._frames.held_bytes - self._counted
        if more > 0:
            account.take(Resource.INCOMING_BYTES, more)
        elif more:
            # Not a take of less than nothing: of a key that is beyond its memory it is refused, and the connection ends that frees some.
            account.give(Resource.INCOMING_BYTES, -more)
        self._counted += more
        long = self._frames.under_way_bytes
        long = long if long > LONG_BYTES else 0
        if long != self._granted:
            granted, self._granted = self._granted, 0
            if long and account.traffic.grant(self, long):
                self._granted = long
            elif long:
                self._wait(account)
            # Last: what is given back goes to the connections that ask, and this one, whose next message has begun, comes before them.
            if granted:
                account.traffic.arrived(granted)

    def _wait(self, account: Account) -> None:
        if not self._waits:
            self._waits = True
            self._peer.hold_up(account.traffic)
