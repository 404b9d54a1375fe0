"""``tq outbox run``: steps of the relay until it is asked to end, through the absence of either side, and what it says meanwhile."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from ....common.domain.durations import span
from ....common.domain.ids import show_id
from ....common.errors import ConfigError, InvalidArgument, QuotaExceeded, Rejected, TqError
from ....common.runtime.terminal import say, write_json
from ..output import count
from .database import DatabaseLost, OutboxDatabase
from .master import MasterHands
from .relay import FULL_SECONDS, Judged, OutboxRelay

FINAL: Final = (Rejected, ConfigError, InvalidArgument)  # trying again does not help
PAUSE_SECONDS_MIN: Final = 0.5  # while one of both sides is away
PAUSE_SECONDS_MAX: Final = 15.0
REPORT_SECONDS: Final = 10.0
# Of rows that are set aside, between two reports: all of them are in `tq outbox status`
LINES_MAX: Final = 20


class Reports:
    """What is said of it: a line every ten seconds in which something was done, one for each row that is set aside, and for trouble when it
    begins and ends."""

    def __init__(self, *, as_json: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._as_json, self._clock = as_json, clock
        self._since, self._sent, self._refused, self._lines = clock(), 0, 0, 0
        self._trouble = ""

    def set_aside(self, one: Judged) -> None:
        self._lines += 1
        if self._lines <= LINES_MAX:
            row = {
                "id": show_id(one.row.id),
                "queue": one.row.queue,
                "task": one.row.task,
                "reason": one.reason,
            }
            text = "set aside {id}, {task} in queue {queue}: {reason}".format(**row)
            self._write("set_aside", text, **row)

    def trouble(self, error: BaseException) -> None:
        """Said when it is another one than before."""
        words = str(error) or type(error).__name__
        if words != self._trouble:
            self._trouble = words
            self._write("trouble", f"rows wait: {words}", reason=words)

    def well(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._write("well", "rows are handed over again")

    def tick(self, relay: OutboxRelay, *, always: bool = False) -> None:
        now = self._clock()
        seconds = now - self._since
        if seconds < REPORT_SECONDS and not always:
            return
        sent, refused = relay.totals.sent - self._sent, relay.totals.refused - self._refused
        if sent or refused or relay.totals.full or always:
            self._say(relay, sent, refused, seconds)
        self._since, self._lines = now, 0
        self._sent, self._refused = relay.totals.sent, relay.totals.refused

    def _say(self, relay: OutboxRelay, sent: int, refused: int, seconds: float) -> None:
        facts: dict[str, Any] = {
            "handed_over": relay.totals.sent,
            "set_aside": relay.totals.refused,
            "deleted": relay.totals.deleted,
            "full": relay.totals.full,
        }
        text = f"handed over {_rows(relay.totals.sent)}, {count(sent)} of them in {span(seconds)}"
        if relay.totals.refused:
            text += f"; set aside {count(relay.totals.refused)} (tq outbox status)"
        with suppress(TqError):  # the database may just be away, which is said by itself
            counts = relay.database.counts()
            facts |= {"waiting": counts.waiting, "oldest": counts.oldest}
            if counts.waiting and counts.oldest is not None:
                age = span(max(0.0, time.time() - counts.oldest))
                text += f"; {_rows(counts.waiting)} waiting, the oldest for {age}"
        for why in relay.totals.full.values():
            text += f"; {why.partition(';')[0]}"
        self._write("progress", text, **facts)

    def _write(self, event: str, text: str, **facts: Any) -> None:
        if self._as_json:
            write_json({"event": event, **facts})
        else:
            say(text)


def run_relay(
    open_database: Callable[[], OutboxDatabase],
    master: MasterHands,
    make_relay: Callable[[OutboxDatabase], OutboxRelay],
    reports: Reports,
    stopped: threading.Event,
    *,
    poll_seconds: float,
    once: bool,
) -> None:
    """Until ``stopped``; with ``once`` until nothing is left that can be handed over. Raises what trying again does not help, and with
    ``once`` any error."""
    relay = make_relay(open_database())  # a wrong address is said at once, and not tried without end
    pause = PAUSE_SECONDS_MIN
    has_reached, is_open = False, True
    try:
        while not stopped.is_set():
            try:
                if not is_open:
                    relay.database, is_open = open_database(), True
                if not has_reached or master.is_away:
                    master.reach()
                    has_reached = True
                is_busy = relay.step()
            except (TqError, TimeoutError) as error:
                if once or (isinstance(error, FINAL) and not isinstance(error, QuotaExceeded)):
                    raise
                reports.trouble(error)
                if isinstance(error, DatabaseLost) and is_open:
                    relay.database.close()
                    is_open = False
                stopped.wait(pause)
                pause = min(PAUSE_SECONDS_MAX, 2 * pause)
                continue
            pause = PAUSE_SECONDS_MIN
            reports.well()
            reports.tick(relay)
            if not is_busy:
                if once:
                    return
                with suppress(DatabaseLost):  # met again by the next step
                    relay.database.wait(min(poll_seconds, FULL_SECONDS) if relay.put_off else poll_seconds)
    finally:
        reports.tick(relay, always=True)
        if is_open:
            relay.database.close()


@contextmanager
def ended_by_signals(stopped: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT end it when the batch under way is done."""

    def end(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{count(rows)} rows"
