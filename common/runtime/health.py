"""Health of a program: the pulse of its loop, the pages ``/livez`` and ``/readyz``, and the service manager's watchdog.

::

    Pulse, once a second on the loop ─► vitals.prod()      a sign of real work, not only of the socket
                                     └► WATCHDOG=1         as long as vitals.sick() finds nothing
    GET /livez  ─► vitals.sick()      why it should be restarted      GET /readyz ─► also why it should get no work now

Nothing here runs without ``--http`` or a service manager that listens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

from ..errors import ConfigError
from ..wire.address import Address, is_loopback
from .http import OPENMETRICS, Page, Responder, Routes
from .sd_notify import Notifier

BEAT_SECONDS: Final = 1.0
STATUS_SECONDS: Final = 10.0  # between two lines for the service manager's status


MakePage = Callable[[], Awaitable[Page]]
OnLag = Callable[[float], None]


class Vitals(Protocol):
    """What a program knows about itself. Each reason is a sentence."""

    def prod(self) -> None:
        """Have the inner loop do something, so that it is noticed when that loop stops."""

    def sick(self) -> list[str]:
        """Why it cannot go on and should be restarted; empty when it is alive."""

    def unready(self) -> list[str]:
        """Why it cannot work at the moment, though it may recover without a restart."""

    def facts(self) -> dict[str, Any]:
        """A few numbers beside the verdict."""


class Pulse:
    """The beat that probes depend on. ``on_lag`` receives by how many seconds each beat was late."""

    def __init__(self, vitals: Vitals, notifier: Notifier, on_lag: OnLag | None = None) -> None:
        self._vitals, self._notifier, self._on_lag = vitals, notifier, on_lag
        self._loop = asyncio.get_running_loop()
        # A service manager may want signs of life more often.
        self._seconds = min(BEAT_SECONDS, notifier.watchdog_seconds or BEAT_SECONDS)
        self._due = self._reported_at = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._notifier.notify("READY=1", self._status())
        self._reported_at = self._due = self._loop.time()
        self._beat()

    def stopping(self) -> None:
        """Report that the end has begun. The beat goes on, because what is under way may take long."""
        self._notifier.notify("STOPPING=1", "STATUS=finishing what is under way")

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        now = self._loop.time()
        try:
            # After an error the next beat comes all the same.
            self._show_life(now)
        finally:
            self._due = now + self._seconds
            self._handle = self._loop.call_at(self._due, self._beat)

    def _show_life(self, now: float) -> None:
        if self._on_lag is not None:
            self._on_lag(max(0.0, now - self._due))
        if self._notifier.watchdog_seconds is not None and not self._vitals.sick():
            self._notifier.notify("WATCHDOG=1")
        if self._notifier.listened_to and now - self._reported_at >= STATUS_SECONDS:
            self._reported_at = now
            self._notifier.notify(self._status())
        # Last: what comes of it is judged at the next beat.
        self._vitals.prod()

    def _status(self) -> str:
        state = "; ".join([*self._vitals.sick(), *self._vitals.unready()]) or "ready"
        return f"STATUS={state}: " + ", ".join(
            f"{name} {value}" for name, value in self._vitals.facts().items()
        )


class Attendant:
    """What a program runs of all this: pages if it has an ``http`` address, a pulse if those or a service manager need it."""

    def __init__(
        self,
        vitals: Vitals,
        http: Address | None,
        report: Callable[..., None],
        *,
        notifier: Notifier,
        metrics: MakePage | None = None,
        open_metrics: MakePage | None = None,
        on_lag: OnLag | None = None,
    ) -> None:
        self._http, self._report, self._notifier = http, report, notifier
        routes = dict(health_routes(vitals))
        if metrics is not None:
            routes["/metrics"] = metrics
        if open_metrics is not None:
            routes["/metrics" + OPENMETRICS] = open_metrics
        self._responder = Responder(routes)
        self._pulse = Pulse(vitals, notifier, on_lag)

    async def open(self) -> None:
        """Open the port, if there is one to open; raises ConfigError."""
        if self._http is None:
            return
        try:
            address = await self._responder.listen(self._http)
        except OSError as error:
            raise ConfigError(
                f"cannot serve health and metrics on {self._http}: {error.strerror or error}; "
                "choose another address with --http"
            ) from error
        self._report("http.started", address=str(address))
        if not is_loopback(self._http.host):
            self._report("http.public", level="warning", address=str(address))

    def ready(self) -> None:
        """The program has begun its work."""
        if self._http is not None or self._notifier.listened_to:
            self._pulse.start()

    def ending(self) -> None:
        """It finishes what is under way. The pages stay open and say so."""
        self._pulse.stopping()

    def close(self) -> None:
        self._pulse.stop()
        self._responder.close()


def health_routes(vitals: Vitals) -> Routes:
    async def livez() -> Page:
        return _verdict(vitals.sick(), vitals)

    async def readyz() -> Page:
        return _verdict([*vitals.sick(), *vitals.unready()], vitals)

    return {"/livez": livez, "/readyz": readyz}


def _verdict(reasons: list[str], vitals: Vitals) -> Page:
    body = {"ok": not reasons, "reasons": reasons, **vitals.facts()}
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return Page(json.dumps(body) + "\n", status, "application/json")
