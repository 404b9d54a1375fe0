"""The number of each putter's last put in each queue, so that a repeated put is stored once. A repeated task_done likewise.

A number is forgotten a day after the putter's last put, in portions: each program is a putter of its own, and programs come and go.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from ..engine.accounts import Account, Resource, give_back
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.items import ItemStore

PUTTER_TTL_MS: Final = 24 * 3_600_000  # a put is not repeated after a day
FORGET_EVERY_MS: Final = 3_600_000
FORGOTTEN_AT_ONCE: Final = 10_000
FORGET: Final = "forget"


class PutNumbers(Part):
    name = "numbers of puts"

    def __init__(self, store: ItemStore, agenda: Agenda) -> None:
        self._store, self._agenda = store, agenda
        self._last: dict[int, dict[bytes, int]] = {}  # by queue and putter
        self._accounts: dict[
            tuple[int, bytes], Account
        ] = {}  # of the putters' keys; a putter from before the master started has none
        self._new: set[tuple[int, bytes]] = set()  # changed in this transaction

    def take_over(self, rows: list[tuple[int, bytes, int]], now: Now) -> None:
        """Load the store's numbers."""
        before, self._accounts, self._last = self._accounts, {}, {}
        for account in before.values():
            account.give(Resource.PUTTERS)
        for queue, putter, number in rows:
            self._last.setdefault(queue, {})[putter] = number
            known = before.get((queue, putter))
            if known is not None:
                known.note(Resource.PUTTERS, 1)
                self._accounts[queue, putter] = known
        if rows and not self._agenda.has(self, FORGET):
            self._agenda.set(self, FORGET, now.mono)

    def check_room(self, queue: int, putter: bytes, account: Account) -> None:
        """Raises QuotaExceeded when this putter is new and would exceed the account's limit."""
        if putter not in self._last.get(queue, {}):
            account.check(Resource.PUTTERS, 1)

    def is_known(self, queue: int, putter: bytes, number: int) -> bool:
        return number <= self._last.get(queue, {}).get(putter, 0)

    def remember(self, queue: int, putter: bytes, number: int, account: Account) -> None:
        """The caller has checked the account's limit: see ``check_room``."""
        last = self._last.setdefault(queue, {})
        if putter not in last:
            account.note(Resource.PUTTERS, 1)
            self._accounts[queue, putter] = account
        last[putter] = number
        self._new.add((queue, putter))

    def drop(self, queue: int) -> None:
        """The queue was deleted; the store has deleted its numbers with it."""
        for putter in self._last.pop(queue, ()):
            give_back(self._accounts.pop((queue, putter), None), Resource.PUTTERS)
        self._new = {key for key in self._new if key[0] != queue}

    def void(self) -> Iterable[Session]:
        self._new.clear()
        return ()

    def settle(self, now: Now) -> None:
        if self._new:
            self._store.put_putters(
                [(queue, putter, self._last[queue][putter], now.steady) for queue, putter in self._new]
            )
            self._new.clear()
            if not self._agenda.has(self, FORGET):
                self._agenda.set(self, FORGET, now.mono + FORGET_EVERY_MS)

    def due(self, key: Hashable, now: Now) -> None:
        """Forget putters that have put nothing for a day."""
        gone = self._store.forget_putters(now.steady - PUTTER_TTL_MS, FORGOTTEN_AT_ONCE)
        for queue, putter in gone:
            self._last.get(queue, {}).pop(putter, None)
            give_back(self._accounts.pop((queue, putter), None), Resource.PUTTERS)
        if len(gone) == FORGOTTEN_AT_ONCE:
            self._agenda.set(self, FORGET, now.mono)
        elif any(self._last.values()):
            self._agenda.set(self, FORGET, now.mono + FORGET_EVERY_MS)
