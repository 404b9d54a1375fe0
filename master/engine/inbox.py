"""Calls that wait for a transaction: those of a key in their order, the keys in turn. Pure.

::

    key a: ■ ■ ■ ■ ■ ■ ─┐
    key b: ■ ───────────┼─► pop: a b c a c a a a …
    key c: ■ ■ ─────────┘

So a key that asks for much waits for itself, and one that asks for little waits for one call of each other key. The
bytes that wait are counted for each key: what it sends beyond that is left with its peers (see traffic.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from .accounts import Account
from .session import Call


class Inbox:
    def __init__(self) -> None:
        self._lines: dict[Account, deque[Call]] = {}
        self._turns: deque[Account] = deque()  # those with calls; the next one first
        self._length = 0

    def __bool__(self) -> bool:
        return bool(self._turns)

    def __iter__(self) -> Iterator[Call]:
        return (call for line in self._lines.values() for call in line)

    def add(self, call: Call) -> None:
        account = call.session.account
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = deque()
            self._turns.append(account)
        line.append(call)
        self._length += 1
        account.traffic.waiting_bytes += call.size_bytes

    def __len__(self) -> int:
        return self._length

    def take(self, calls: Iterable[Call]) -> None:
        """These are done out of their turn."""
        # Lines are made new instead of searched: a remove from a deque for each call would take the square of their number.
        taken = set(calls)
        for account in {call.session.account for call in taken}:
            line = self._lines[account]
            left = deque(call for call in line if call not in taken)
            self._length -= len(line) - len(left)
            account.traffic.waiting_bytes -= sum(call.size_bytes for call in line if call in taken)
            if left:
                self._lines[account] = left
            else:
                del self._lines[account]
                self._turns.remove(account)

    def pop(self) -> Call:
        """The next one. There has to be one."""
        account = self._turns[0]
        line = self._lines[account]
        call = line.popleft()
        self._length -= 1
        account.traffic.waiting_bytes -= call.size_bytes
        if not line:
            self._turns.popleft()
            del self._lines[account]
        else:
            self._turns.rotate(-1)
        return call
