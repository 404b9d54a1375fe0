"""Receipts: which rows of outboxes the master has accepted, for as long as a relay may hand one over again.

::

    hand_over(id, submit) ─┬─ the id is known ──► answered; nothing is stored
                           └─ it is new ────────► the submit, and its receipt, in one transaction
    the relay has written down that the row is sent ─► forget(id) ─► ten minutes later the receipt is gone

A task's own id does not suffice: the task may have ended and be deleted, with its result, before a relay that died in between hands its
row over once more.

``forget`` comes when no relay can take the row any more. One that took it before, and was stopped since, may still have the call in its
hands: it sends none that is older than a minute, and none on a connection that it has lost, so that ten minutes are ample.

Invariant: a receipt is in the store if and only if what the row submits was accepted, at every commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from ...common.errors import Full, QuotaExceeded
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Call, Session
from ..store.interface.outbox import OutboxStore
from ..store.interface.store import Picture

KEPT_MS: Final = 10 * 60 * 1000  # after the relay has said that no row of it is left
# Of a key: what its relay has handed over and still has; some 60 bytes on disk each
RECEIPTS_MAX: Final = 1_000_000
PORTION: Final = 1_000  # deleted in one transaction
PAUSE_MS: Final = 50  # between two portions
DROP: Final = "drop"


class Receipts(Part):
    name = "receipts of rows of outboxes"

    def __init__(self, store: OutboxStore, agenda: Agenda) -> None:
        self._store, self._agenda = store, agenda
        self._kept = Counter[str]()  # by key
        self._under_way: dict[bytes, Call] = {}  # that are not answered yet, or in this transaction

    def load(self, picture: Picture, now: Now) -> None:
        self._kept = Counter(self._store.counts())
        self._expect()

    def hand_over(self, call: Call, receipt: bytes, submit: Callable[[], object]) -> object:
        """The answer of the submit; 0 for a row that was accepted before. Raises QuotaExceeded, Full, and what the submit raises."""
        key = call.session.verifier.key_id
        other = self._under_way.get(receipt)
        if other is not None:
            if other.session.open:
                # Not answered as if it were accepted: the first one may still be refused.
                raise Full("this row is being handed over by another relay at this moment; try again")
            del self._under_way[receipt]
        if self._store.has(receipt):
            return 0
        if self._kept[key] + len(self._under_way) >= RECEIPTS_MAX:
            raise QuotaExceeded(
                f"relays with key {key} have handed over {self._kept[key]:,} rows that they have not deleted yet; at most "
                f"{RECEIPTS_MAX:,}: run `tq outbox run` with a shorter --keep"
            )
        self._under_way[receipt] = call
        return submit()

    def forget(self, receipts: Sequence[bytes], now: Now) -> None:
        self._store.forget(receipts, now.steady + KEPT_MS)
        if not self._agenda.has(self, DROP):
            self._agenda.set(self, DROP, now.steady + KEPT_MS + 1, Clock.STEADY)

    # one transaction

    def settle(self, now: Now) -> None:
        """Behind what writes the tasks: by now it is known which calls are refused."""
        if not self._under_way:
            return
        accepted: list[tuple[bytes, str]] = []
        for receipt, call in list(self._under_way.items()):
            if call.reply is None and call.session.open:
                continue  # it waits
            del self._under_way[receipt]
            if call.reply is not None and call.reply[1] is None:
                accepted.append((receipt, call.session.verifier.key_id))
        if accepted:
            self._store.keep(accepted)
            self._kept.update(key for _, key in accepted)

    def void(self) -> Iterable[Session]:
        """The calls of the failed transaction were refused."""
        self._under_way.clear()
        return ()

    def due(self, key: Hashable, now: Now) -> None:
        gone = self._store.drop(now.steady, PORTION)
        for one, rows in Counter(gone).items():
            self._kept[one] -= rows
            if self._kept[one] <= 0:
                del self._kept[one]
        if len(gone) == PORTION:
            self._agenda.set(self, DROP, now.mono + PAUSE_MS)
        else:
            self._expect()

    def _expect(self) -> None:
        until = self._store.next_until()
        self._agenda.set(self, DROP, None if until is None else until + 1, Clock.STEADY)
