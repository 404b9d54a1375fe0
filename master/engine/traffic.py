"""Flow control: how fast the messages of one key are taken. What is beyond that stays with its peers, and others' are taken.

::

    a connection's bytes ─► FrameReader ─► may this key have more done now? ─yes─► a call into the inbox
                                                │ no: it is not read from
                                                └──────── resumed in order, once there is room

Two things are bounded for each key: its calls that wait for a transaction, and what is taken of it in one turn of
the event loop. Long messages arrive a few at a time: the halves of very many would fill the memory. Nothing is refused here;
a peer that waits gets a PONG now and then, which shows that the master lives.

Pure: a connection asks what it may do, and does it itself.
"""

from __future__ import annotations

from typing import Final, Protocol

KIB: Final = 1024
MIB: Final = 1024 * KIB
# Of one key's calls in the inbox; decoded they take up to seventy times that
WAITING_BYTES_MAX: Final = 512 * KIB
FRAMES_A_TURN: Final = 1_000  # of one key, those without content: some 30 ms
FRAME_BYTES: Final = 256  # of content count as another frame
FRAMES_AT_ONCE: Final = 64  # from one connection, before it is looked whether there may be more
LONG_BYTES: Final = 256 * KIB  # a message from here on needs room before it is read to its end
ARRIVING_BYTES_MAX: Final = 48 * MIB  # of one key's long messages; a single one may be longer


class Resumable(Protocol):
    """A connection that waits here."""

    def resume(self) -> None:
        """There may be room now: try again."""


class Traffic:
    """Of one key."""

    def __init__(self) -> None:
        self.waiting_bytes = 0  # of calls in the inbox
        self._frames_left = FRAMES_A_TURN
        self._held_up: dict[Resumable, None] = {}  # connections whose messages wait to be taken, in order
        self._arriving_bytes = 0
        self._asking: dict[Resumable, int] = {}  # connections whose long message waits for room, in order

    @property
    def is_open(self) -> bool:
        """Whether another message may be taken now."""
        return self._frames_left > 0 and self.waiting_bytes < WAITING_BYTES_MAX

    @property
    def is_waited_for(self) -> bool:
        return bool(self._held_up)

    @property
    def waits_for_turn(self) -> bool:
        """Whether connections are held up by nothing but the end of this turn."""
        return bool(self._held_up) and self.waiting_bytes < WAITING_BYTES_MAX

    def took(self, frames: int, size_bytes: int) -> None:
        # Not made full again in each turn of the loop, which would take a timer for every key: who is never held up pays one turn in a thousand frames.
        self._frames_left -= frames + size_bytes // FRAME_BYTES

    def hold_up(self, connection: Resumable) -> None:
        """It has messages that may not be taken now; ``resume`` is called when they may."""
        self._held_up[connection] = None

    def next_turn(self) -> None:
        """Others have had theirs, or a transaction is over: those who waited go on, as far as there is room."""
        self._frames_left = FRAMES_A_TURN
        for connection in list(self._held_up):
            if not self.is_open:
                break
            self._held_up.pop(connection, None)
            connection.resume()

    def grant(self, connection: Resumable, size_bytes: int) -> bool:
        """Whether a long message may be read to its end. If not, ``resume`` is called later, and it asks again."""
        # The first one always may, however long: else one that is longer than all room would wait without end.
        if self._arriving_bytes and self._arriving_bytes + size_bytes > ARRIVING_BYTES_MAX:
            self._asking[connection] = size_bytes
            return False
        self._asking.pop(connection, None)
        self._arriving_bytes += size_bytes
        return True

    def arrived(self, size_bytes: int) -> None:
        """One that was granted is here, or will not come."""
        self._arriving_bytes -= size_bytes
        for connection, wanted in list(self._asking.items()):
            if self._arriving_bytes and self._arriving_bytes + wanted > ARRIVING_BYTES_MAX:
                break
            if self._asking.pop(connection, None) is not None:
                connection.resume()

    def forget(self, connection: Resumable) -> None:
        """It is closed."""
        self._held_up.pop(connection, None)
        self._asking.pop(connection, None)
