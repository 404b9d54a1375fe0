"""Loads memory again from what the store really has after a transaction failed, and retries while the store cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from ...common.errors import StoreError
from ..store.interface.store import Store
from .clock import Now
from .trouble import PAUSE_MS_MAX, PAUSE_MS_MIN


class Reloading:
    """``load``: takes the store's picture, in a transaction. ``report_bug`` says in a sentence what it was."""

    def __init__(
        self, store: Store, load: Callable[[], None], report_bug: Callable[[Exception], str]
    ) -> None:
        self._store, self._load, self._report_bug = store, load, report_bug
        self.error: StoreError | None = None  # the failure after which it could not be read; None: it was
        self.at, self._pause_ms = 0, PAUSE_MS_MIN  # when that is tried again, monotonic ms

    def must_wait(self, now: Now) -> bool:
        """Whether nothing can be done for anybody now."""
        return self.error is not None and now.mono < self.at

    def after(self, error: StoreError, now: Now) -> None:
        """A transaction failed. One that failed because it could not be read is tried again later."""
        try:
            # While it could not be read nothing was performed, so there is nothing to load; ``_transact`` reads when the pause is over.
            if self.error is None:
                self.read()
        except StoreError:
            self.error = error
        if self.error is not None:
            self.at = now.mono + self._pause_ms
            self._pause_ms = min(PAUSE_MS_MAX, 2 * self._pause_ms)

    def read(self) -> None:
        """While this raises StoreError, nothing else is tried."""
        try:
            # A handle that has failed is not used again: after a failed fsync the kernel may have dropped what it says is written.
            self._store.reopen()
            self._store.begin(reading=True)
            self._load()
            # It only read.
            self._store.rollback()
        except Exception as error:
            if isinstance(error, StoreError):
                raise
            self._report_bug(error)  # what is read there makes no sense
            raise StoreError(f"the store cannot be read: {error!r}; restore it from a copy") from error
        self.error, self._pause_ms = None, PAUSE_MS_MIN
