"""The one place that turns events into text. Every record has an action and fields, in both formats.

::

    2026-01-02T03:04:05Z warning child.died  a child process died  pid=4711 how=killed
    {"time": "2026-01-02T03:04:05Z", "level": "warning", "action": "child.died", "pid": 4711, "how": "killed"}

Fields that name a secret are never printed, at any depth. A stream that takes no more text (a closed
pipe, a full disk) costs the record, never the work that it tells of.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")
SECRETS: Final = ("authkey", "secret", "token", "password")
VALUE_CHARS_MAX: Final = 2_000

SENTENCES: Final[dict[str, str]] = {
    "master.started": "ready",
    "master.draining": "finishing what is under way; a second signal ends it at once",
    "master.stopped": "stopped",
    "clock.jumped": "the wall's clock was set; delays, retries, expiries and retention go on as if it had not been",
    "clock.behind": "the clock is behind what the store has seen; delays and expiries go on from there",
    "master.stalled": "this process stood still; nobody is blamed for that time",
    "data.not_written": "a named value could not be written anew; its calls are kept; please report it",
    "master.out_of_memory": "this process was given no more memory; what was asked for is not done. Give it more",
    "master.bug": "a bug in tq; please report it with this record",
    "server.full": "no descriptors are left for more connections; raise the limit of open files (ulimit -n)",
    "http.started": "health and metrics can be read",
    "http.public": "everybody who reaches this address can read health and metrics; loopback keeps them here",
    "store.failed": "the store failed; its callers were told, nothing unfinished is kept",
    "store.log_missing": "the log of a store that was not closed is gone or empty; what was accepted last may be missing; restore both",
    "store.damaged": "a part of the store's file cannot be read; stop the master and recover it",
    "blobs.missing": "the folder of large content is gone, and what tasks name cannot be read; restore it",
    "blob.damaged": "a file of large content has not the size that it was stored with; it is replaced when a client sends it again",
    "blob.not_removed": "a file of large content that no task names could not be removed; it takes disk",
    "blob.not_swept": "the folder of large content could not be listed; files that no task names stay until the next start",
    "blob.orphan": "a file of large content that the store does not know is removed",
    "item.result_kept": "the queue for this result is gone and there are as many queues as there may be; the result stays with its task",
    "certificate.changed": "the certificate is another than before; join tokens made for the old one no longer fit",
    "store.recovered": "the store can be used again",
    "gateway.started": "clients of multiprocessing.managers can come; what they send is not encrypted",
    "gateway.refused": "a connection to the gateway was turned away",
    "connection.refused": "an unauthenticated connection was rejected",
    "connection.broken": "a session broke the rules and was ended",
    "session.closed": "a session ended",
    "worker.started": "your code is loaded; connecting to the master",
    "worker.connected": "ready: connected to the master",
    "worker.disconnected": "the connection is gone; running tasks go on, results are kept until it is back",
    "call.failed": "a notice to the master was not sent; it is not needed for any result",
    "worker.draining": "finishing what runs; a second signal hands everything back at once",
    "worker.stopped": "stopped",
    "worker.stalled": "this process stood still longer than a lease; its results may come too late",
    "child.started": "a child process is ready",
    "worker.bug": "a bug in tq; the worker goes on. Please report it with this record",
    "worker.out_of_memory": "this process was given no more memory; the worker goes on. Give it more, or fewer --slots",
    "child.not_started": "a child process could not be started; it is tried again",
    "child.died": "a child process died",
    "child.distrusted": "a child process said what it cannot say; it is killed and replaced",
    "child.import_failed": "your code cannot be imported any more; it is tried again and again",
    "output.dropped": "tasks print faster than it can be written here; this much was left out",
    "output.not_kept": "the output of a task could not be written to its file",
    "task.report_refused": "the master refused what this worker reported of an attempt, which has failed by it",
    "task.stale": "a result came too late: the task was given to somebody else meanwhile",
    "task.dropped": "the master says this task is no longer ours",
    "task.memory": "a task took more memory than its process may have",
    "child.retired": "a child process has done its part; another takes its place",
    "task.timeout": "a task ran into its time limit",
    "task.cancelled": "a task was cancelled",
}


class EventLog:
    """``event(action, level, **fields)`` writes one line. ``threshold``: the lowest level written."""

    def __init__(
        self,
        format: str = "text",
        stream: TextIO | None = None,
        threshold: str = "info",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._json, self._stream, self._clock = format == "json", stream, clock
        self._threshold = LEVELS.index(threshold)
        self.counted: Counter[str] | None = None  # every event by its action, when somebody wants to know

    def event(self, action: str, level: str = "info", **fields: Any) -> None:
        if self.counted is not None:
            self.counted[action] += 1
        if LEVELS.index(level) < self._threshold:
            return
        moment = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = {name: _shown(name, value) for name, value in fields.items()}
        if self._json:
            line = json.dumps({"time": stamp, "level": level, "action": action, **shown}, default=str)
        else:
            line = f"{stamp} {level} {as_text(action, shown)}"
        stream = self._stream or sys.stderr
        with contextlib.suppress(OSError, ValueError):  # test: a log that nobody takes costs no work
            stream.write(line + "\n")
            stream.flush()


def as_text(action: str, shown: Mapping[str, Any]) -> str:
    """An event without time and level: of a record, or for a log that has both of its own."""
    words = " ".join(f"{name}={_quoted(value)}" for name, value in shown.items())
    return "  ".join(filter(None, (action, SENTENCES.get(action, ""), words)))


def _shown(name: str, value: Any) -> Any:
    if any(secret in name.lower() for secret in SECRETS):
        return "[hidden]"
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return value[:VALUE_CHARS_MAX] if isinstance(value, str) else value


def _quoted(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    text = str(value)
    plain = text.isprintable() and not any(character in text for character in ' "=')
    return text if text and plain else json.dumps(text, ensure_ascii=not text.isprintable())
