"""Takes calls from the inbox and performs them, as many as one transaction has room for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...common.errors import StoreError, TqError
from ..store.interface.store import Store
from .clock import Now
from .inbox import Inbox
from .refusals import voids
from .session import LATER, Call, Session
from .transaction import Transaction
from .trouble import Trouble
from .work import Work

BATCH_CALLS_MAX: Final = 2_000  # in one transaction, so that no caller waits long for it
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024


class CallRunner:
    """``have_reconnect``: for a session whose call failed with the store. ``is_full``: whether the parts take no more in
    this transaction."""

    def __init__(
        self,
        inbox: Inbox,
        work: Work,
        store: Store,
        trouble: Trouble,
        have_reconnect: Callable[[Session], None],
        is_full: Callable[[], bool],
        report_bug: Callable[[Exception], object],
    ) -> None:
        self._inbox, self._work, self._store, self._trouble = inbox, work, store, trouble
        self._have_reconnect, self._is_full, self._report_bug = have_reconnect, is_full, report_bug

    def perform(self, transaction: Transaction, now: Now) -> None:
        """Calls of all keys in turn. A StoreError voids the transaction, and so does a bug in a call that may have changed
        memory."""
        size = 0
        while (
            self._inbox
            and len(transaction.calls) < BATCH_CALLS_MAX
            and size < BATCH_BYTES_MAX
            and self._work.is_left
            and not self._is_full()
        ):
            call = self._inbox.pop()
            # Closed, or abandoned by its caller, while it was in the inbox.
            if not call.session.open or call.call_id not in call.session.calls:
                continue
            # Before it runs: if it fails with the store, it has to get that error, too.
            transaction.add(call)
            size += call.size_bytes
            self._run(call, now)

    def read(self, transaction: Transaction, readers: list[Call], now: Now) -> None:
        """Only these, which change nothing: the store is in trouble, and may still be read."""
        self._inbox.take(readers)
        for call in readers:
            if not self._work.is_left:
                # Behind its session's later calls: it reads what these have done, which only a caller that did not wait for it can see.
                self._inbox.add(call)  # for the next one
            elif call.session.open and call.call_id in call.session.calls:
                transaction.add(call)
                self._run(call, now)

    def refuse_all(self, error: StoreError) -> None:
        """While the store cannot be read no call can be performed: each is refused at once instead of waiting."""
        while self._inbox:
            call = self._inbox.pop()
            call.refuse(error)
            self._have_reconnect(call.session)

    def _run(self, call: Call, now: Now) -> None:
        self._work.asked(call.rows)
        if call.reads:
            # Memory, too, is to show what was submitted before. A failure of this is not the reader's: others' tasks are half written.
            self._store.settle()
        try:
            value = call.perform()
        except StoreError as error:
            if not voids(error):  # it was refused before the store was asked
                call.refuse(error)
                return
            # SQLite may have rolled back by itself (no room, no memory, an I/O error): then the rows of all calls before this one are gone, too.
            if not (call.reads and self._store.in_transaction):
                self._have_reconnect(call.session)
                raise
            call.refuse(error)  # it has changed nothing: no other call fails with it
            self._trouble.failed(str(error), now)
        except TqError as error:
            call.refuse(error)
        except Exception as error:
            if not call.meets_bug(error):  # who knows what it has done already: memory has no rollback
                raise
            self._report_bug(error)
        else:
            if value is not LATER:
                self._work.answered(value)
                call.answer(value)
