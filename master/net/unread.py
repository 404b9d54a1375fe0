"""Limits on answers that wait for their peers to read them, of each key and of all, and which connections are ended for that.

A peer that reads costs nothing here. One that does not is waited for until it and others like it hold too much: then those
are ended that have not read for longest. What they asked for is there for their next connection.
"""

from __future__ import annotations

from typing import Final, Protocol

from ..engine.accounts import LIMITS, Account, Resource
from ..engine.traffic import MIB

CONNECTION_BYTES_MAX: Final = 64 * MIB  # of one connection, even if its key may have more
CLOGGED_BYTES: Final = 4 * 1024  # that wait for a peer, before it is looked at
LIMIT: Final = LIMITS[Resource.UNREAD_BYTES]


class SlowReader(Protocol):
    """A connection."""

    def unsent_bytes(self) -> int: ...
    def cut_off(self, reason: str) -> None:
        """End it at once; it calls ``read``."""


class UnreadAnswers:
    """``total``: the account of all keys."""

    def __init__(self, total: Account) -> None:
        self._everybody = total
        self._waiting: dict[
            SlowReader, tuple[Account, int]
        ] = {}  # in the order in which they stopped reading

    def look(self, reader: SlowReader, account: Account) -> None:
        """It does not read as fast as it is answered: more waits for it."""
        size = reader.unsent_bytes()
        _, before = self._waiting.get(reader, (account, 0))
        # One that is in the dict keeps its place in it: who stopped reading first stays first.
        self._waiting[reader] = account, size
        # Noted beyond the limit: the bytes are in the buffer already.
        account.note(Resource.UNREAD_BYTES, size - before)
        # Before the limits of keys: it alone is the cause, and others would be cut off for it.
        if size > CONNECTION_BYTES_MAX:
            reader.cut_off(f"more than {CONNECTION_BYTES_MAX:,} bytes wait for it to read")
        # A plain authkey is the only key there is: the limit of all is its own.
        if not account.is_shared:
            self._keep_to(LIMIT.key, account)
        self._keep_to(LIMIT.all, self._everybody)

    def read(self, reader: SlowReader) -> None:
        """It has read what waited for it, or is gone."""
        account, size = self._waiting.pop(reader, (None, 0))
        if account is not None:
            account.give(Resource.UNREAD_BYTES, size)

    def _keep_to(self, most: int, account: Account) -> None:
        if account.held[Resource.UNREAD_BYTES] <= most:
            return
        # A list: cutting one off takes it out.
        for reader, (its, _) in list(self._waiting.items()):
            if account.held[Resource.UNREAD_BYTES] <= most:
                break
            if account in (its, its.total):
                reader.cut_off(
                    f"it does not read its answers, and {account.held[Resource.UNREAD_BYTES]:,} bytes wait for it and others "
                    f"of its {'key' if its is account else 'kind'}; at most {most:,}"
                )
