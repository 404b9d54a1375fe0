"""The stream of a browser: that there is something new, and how the master is. Its pages then ask for what they show.

One stream serves all pages of a browser, which share it among themselves: a browser opens six connections to a server at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from ..common.errors import Forbidden, TqError, UnknownObject
from .logins import Login, Logins
from .series import RANGES, read

STREAMS_MAX: Final = 20  # of one log-in: browsers, not pages
SERIES_SECONDS: Final = 5.0  # for so long an answer of the master serves all tabs of a log-in
# The lines of what the watcher has seen, and its fields.
SEEN: Final = {
    "at": "at",
    "ended": "ended_per_second",
    "ready": "ready",
    "running": "running",
    "slots": "slots",
}
BEAT_SECONDS: Final = 10.0  # a page that gets nothing for longer asks by itself
RETRY_MS: Final = 2_000  # until a browser opens a lost stream again


class EventStreams:
    def __init__(self, logins: Logins, closing: asyncio.Event) -> None:
        self._logins, self._closing = logins, closing

    async def events(self, request: Request, login: Login) -> Response:
        if login.streams >= STREAMS_MAX:
            return PlainTextResponse(f"{STREAMS_MAX} streams of this log-in are open\n", 503)
        headers = {"X-Accel-Buffering": "no"}  # else a proxy would keep them until there are many
        return StreamingResponse(self._said(request, login), media_type="text/event-stream", headers=headers)

    async def _said(self, request: Request, login: Login) -> AsyncIterator[str]:
        watcher = login.watcher
        login.streams += 1
        try:
            with watcher.seen():
                yield f"retry: {RETRY_MS}\n\n" + _event(login)
                while self._logins.find(login.id) is login:
                    changed = asyncio.create_task(watcher.changed(BEAT_SECONDS))
                    closing = asyncio.create_task(self._closing.wait())
                    _, left = await asyncio.wait({changed, closing}, return_when=asyncio.FIRST_COMPLETED)
                    for task in left:
                        task.cancel()
                    if self._closing.is_set():
                        return
                    yield _event(login)
        finally:
            login.streams -= 1

    async def series(self, request: Request, login: Login) -> Response:
        """A list for each line of a chart: what the master has kept of a range; for a key that may not see that, what the watcher has
        seen since the log-in."""
        wanted = request.query_params.get("range", "")
        try:
            if wanted in RANGES:
                return JSONResponse(await run_in_threadpool(_kept, login, wanted))
        except (Forbidden, UnknownObject):  # a key of some queues; a master from before there were series
            pass
        except (TqError, TimeoutError) as error:  # the lines stay as they are
            return PlainTextResponse(str(error), 503)
        points = list(login.watcher.points)
        return JSONResponse(
            {name: [getattr(point, field) for point in points] for name, field in SEEN.items()}
        )


def _kept(login: Login, wanted: str) -> dict[str, Any]:
    """Asked for once in a while, however many tabs are open."""
    asked_at, found = login.series.get(wanted, (-SERIES_SECONDS, {}))
    now = time.monotonic()
    if now - asked_at >= SERIES_SECONDS:
        found = read(login.app, RANGES[wanted])
        login.series[wanted] = now, found
    return found


def _event(login: Login) -> str:
    watcher = login.watcher
    said: dict[str, Any] = {
        "version": watcher.version,
        "away": watcher.away_since,
        "refused": watcher.refused,
    }
    with contextlib.suppress(IndexError):
        said["point"] = watcher.points[-1]._asdict()
    return f"data: {json.dumps(said)}\n\n"
