"""How long is waited for a master that is away, by a call that it answers at once when it is there.

Calls are repeated on the next connection, however late that comes. Whoever waits for an item, a lock or a result asked to
wait; whoever asks for a queue's size did not.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ...common.errors import StoreError, Unreachable

if TYPE_CHECKING:
    from ..app import App

MASTER_TIMEOUT_SECONDS: Final = 30.0  # without a connection; a master that is restarted is back in a few


def insisted(app: App, future: Future[Any], seconds: float | None = None) -> Any:
    """The answer to a call that is repeated until it is done. Raises Unreachable or StoreError when it was not within so
    many seconds (None: MASTER_TIMEOUT_SECONDS); it goes on all the same."""
    seconds = MASTER_TIMEOUT_SECONDS if seconds is None else seconds
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        if app.away_seconds:
            raise Unreachable(
                f"the master has been away for {app.away_seconds:.0f} s; what was asked is done when it is back"
            ) from None
        raise StoreError(
            f"the master's store has failed for {seconds:g} s; what was asked is done when it works again: `tq doctor` "
            "says what is wrong there"
        ) from None


def answer_of(app: App, future: Future[Any]) -> Any:
    """The answer. Raises Unreachable when there has been no connection for MASTER_TIMEOUT_SECONDS."""
    while True:
        try:
            return future.result(MASTER_TIMEOUT_SECONDS - min(app.away_seconds, MASTER_TIMEOUT_SECONDS))
        except TimeoutError:
            if future.done():
                return future.result()
            if app.away_seconds >= MASTER_TIMEOUT_SECONDS:
                future.cancel()
                raise Unreachable(
                    f"the master at {app.url or 'the address that was found'} has been away for "
                    f"{MASTER_TIMEOUT_SECONDS:g} s; is tq-master running there? What was asked may still be done when it is back"
                ) from None
