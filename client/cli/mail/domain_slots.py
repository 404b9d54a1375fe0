"""Limits the messages under way to each domain, and takes domains in turn. Pure.

::

    waiting, by domain ─► take ─► under way ─► ended
                                   ▲  │
                                   └──┴─ put off: waits for a retry and occupies no slot meanwhile

Invariants: 1. every message is taken once; 2. ``take`` never puts more than ``per_domain`` messages of a domain under way
(retries of messages that were put off may exceed it: the server asked for them); 3. the cost of a take is proportional to
the number of messages taken.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable


class DomainSlots:
    """``domains[n]``: of message n. ``per_domain`` 0: no limit."""

    def __init__(self, domains: Iterable[tuple[int, str]], *, per_domain: int) -> None:
        self._per_domain = per_domain
        self._waiting: dict[str, deque[int]] = {}
        self._domain: dict[int, str] = {}  # of those under way
        self._busy: Counter[str] = Counter()
        self._put_off: set[int] = set()
        self._turn: deque[str] = deque()  # domains with waiting messages and a free slot
        self._in_turn: set[str] = set()
        for number, domain in domains:
            self.add(number, domain)

    def add(self, number: int, domain: str) -> None:
        """Add a waiting message."""
        self._waiting.setdefault(domain, deque()).append(number)
        self._turn_comes(domain)

    @property
    def under_way(self) -> int:
        """Without those put off."""
        return len(self._domain) - len(self._put_off)

    @property
    def put_off(self) -> int:
        return len(self._put_off)

    @property
    def is_empty(self) -> bool:
        """Whether no message waits for its first attempt."""
        return not self._waiting

    def take(self, most: int) -> list[int]:
        """The next messages to send, one of each domain in turn."""
        taken: list[int] = []
        while self._turn and len(taken) < most:
            domain = self._turn.popleft()
            if not self._has_place(domain):
                self._in_turn.discard(domain)
                continue
            waiting = self._waiting[domain]
            number = waiting.popleft()
            self._domain[number] = domain
            self._busy[domain] += 1
            taken.append(number)
            if waiting:
                self._turn.append(domain)
            else:
                del self._waiting[domain]
                self._in_turn.discard(domain)
        return taken

    def end(self, number: int) -> None:
        self._free(number)
        self._put_off.discard(number)
        del self._domain[number]

    def note_put_off(self, numbers: set[int]) -> None:
        """Set the messages under way that currently wait for a retry."""
        numbers &= self._domain.keys()
        for number in self._put_off - numbers:
            self._busy[self._domain[number]] += 1
        self._put_off &= numbers
        for number in numbers - self._put_off:
            self._free(number)
            self._put_off.add(number)

    def _free(self, number: int) -> None:
        """Free its slot, unless it is put off and has none."""
        if number in self._put_off:
            return
        domain = self._domain[number]
        self._busy[domain] -= 1
        if not self._busy[domain]:
            del self._busy[domain]
        self._turn_comes(domain)

    def _turn_comes(self, domain: str) -> None:
        if domain in self._waiting and domain not in self._in_turn and self._has_place(domain):
            self._in_turn.add(domain)
            self._turn.append(domain)

    def _has_place(self, domain: str) -> bool:
        return not self._per_domain or self._busy[domain] < self._per_domain
