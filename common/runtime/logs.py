"""The one place that writes events as text. Every record has an action and fields, in both formats.

::

    2026-01-02T03:04:05Z warning child.died  a child process died  pid=4711 how=killed
    {"time": "2026-01-02T03:04:05Z", "level": "warning", "action": "child.died", "pid": 4711, "how": "killed"}

Fields that name a secret are never printed, at any depth. A stream that cannot be written to (a closed pipe, a full disk)
costs the record, never the work that the record is about.
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
    "authkey.passed_over": "the join token in TQ_AUTHKEY is for clients and workers; this master has keys of its own",
    "clock.jumped": "the system clock was set; delays, retries, expiries and retention are not affected",
    "clock.behind": "the system clock is behind the newest time in the store; delays and expiries continue from that time",
    "master.stalled": "this process was stopped for a while; no lease or session is ended for that time",
    "data.not_written": "a named value could not be rewritten as a whole; its calls are kept; please report it",
    "master.out_of_memory": "the system gave this process no more memory; the call was not done. Give it more",
    "master.bug": "a bug in tq; please report it with this record",
    "server.full": "no file descriptors are left for more connections; raise the limit of open files (ulimit -n)",
    "http.started": "health and metrics are served",
    "http.public": "anyone who reaches this address can read health and metrics; bind to loopback to prevent that",
    "page.started": "the page of this master: open it in a browser and log in with a key",
    "page.ended": "the page does not run; it is started again and again, which is reported once. The master goes on",
    "processes.started": "all processes of this master listen",
    "process.ended": "a process of this master has ended, and is started again; its shards wait until then, the others go on",
    "process.refused": "a process of this master cannot start again; it is tried again, and the reason is said once; the others go on",
    "process.silent": "a process of this master lives, and its loop gives no sign of it; it is killed and started again",
    "process.stopped": "a process of this master was stopped (SIGSTOP, a debugger); its shards wait until it goes on: kill -CONT PID",
    "process.back": "a process of this master that had ended listens again",
    "neighbour.away": "a shard of another process or master cannot be read; tasks that need some there wait; it is tried again and again",
    "neighbour.back": "that shard can be read again",
    "process.not_started": "a process of this master could not be started; it is tried again",
    "store.failed": "the store failed; the calls of this transaction are answered with the error, and none is kept",
    "store.full": "the disk is full: nothing new is accepted, what was accepted goes on; free some space, or purge what is not needed",
    "store.has_room": "there is room on the disk again; everything is accepted",
    "store.log_missing": "the log of a store that was not closed is gone or empty; what was accepted last may be missing; restore both",
    "store.damaged": "a part of the store's file cannot be read; stop the master and recover the file",
    "database.away": "the database does not answer; everything waits until it does, and nothing is lost",
    "database.back": "the database answers again; what waited goes on",
    "database.careless": "the database may lose what it has confirmed: this setting of its server is off; turn it on",
    "database.loads": "the working copy is not what the database has, and is loaded again",
    "database.loading": "rows of the database are loaded into the working copy; until all are, nothing is accepted or given out",
    "database.loaded": "the working copy has all rows of the database",
    "database.not_released": "the shard could not be given up; another master can take it some seconds later",
    "blobs.missing": "the folder of large content is gone, and content that tasks refer to cannot be read; restore it",
    "blob.damaged": "a file of large content does not have the size that it was stored with; the next upload of it replaces it",
    "blob.not_removed": "a file of large content that no task refers to could not be removed; it takes up disk space",
    "blob.not_swept": "the folder of large content could not be listed; files without a task stay until the next start",
    "blob.orphan": "a file of large content that the store does not know was removed",
    "item.result_kept": "the queue for this result is gone, and the limit of queues is reached; the result stays with its task",
    "schedule.skipped": "instants of a schedule were missed, and its misfire policy makes no tasks for them",
    "schedule.paused": "a schedule may make no tasks any more and was paused; `tq schedule resume` starts it again",
    "schedule.changed": "a schedule was changed in the code of the workers that declare it",
    "limit.changed": "a limit was changed in the code of the programs that declare it",
    "limit.differs": "a program declares a limit otherwise than it holds; `tq limits ls` shows what holds",
    "task.handler_refused": "handlers of failed tasks were not made: the key that submitted these was revoked, or does not cover the queue of the handler",
    "strike.added": "an operator holds tasks back; `tq strike ls` shows what, and until when",
    "strike.ended": "a strike has ended, by an operator or by itself; what it held back is handed out again",
    "queue.resumed": "the time for which a queue was paused is over; it goes on",
    "flow.callback_refused": "a callback of a flow was not made: the key that opened the flow was revoked, or does not cover its queue",
    "schedule.stopped": "a schedule stopped: no worker has had it in its code for an hour; it goes on when one has",
    "certificate.changed": "the certificate has changed; join tokens made for the old one are no longer accepted",
    "certificate.ends": "the certificate of this master ends soon: then no client accepts it",
    "master.stands_by": "another master serves; this one takes over when that one ends or does not renew its lease",
    "master.was_slower": "another master has taken over first; this one stands by",
    "master.revoked": "the certificate of this master was revoked; it ends, and another one takes over",
    "master.displaced": "another master has taken over; this one serves no longer and stands by",
    "shard.taken": "this master serves this shard from now on",
    "shard.let_go": "another master has fewer shards, and takes this one",
    "shard.not_taken": "a shard that is free could not be opened; the other masters take it, and this one tries again",
    "shard.was_slower": "another master has taken this shard first",
    "shard.lost": "another master has taken over this shard; this one goes on with the others",
    "edges.reset": "the store of this shard or of that one is an older copy; what their tasks need of each other is said again",
    "edges.unknown": "another shard says what this version does not understand; that waits until this master has its version",
    "standby.sees_owner": "this master serves; callers are sent there",
    "standby.database_away": "the database does not answer; this master looks again and again",
    "standby.database_back": "the database answers again",
    "key.replaced": "a key file was missing, and another key is made; the old one stays valid until `tq keys revoke`",
    "store.recovered": "the store works again",
    "gateway.started": "clients of multiprocessing.managers can connect; what they send is not encrypted",
    "gateway.refused": "a connection to the gateway was rejected",
    "connection.refused": "an unauthenticated connection was rejected",
    "connection.broken": "a session broke the protocol and was closed",
    "session.closed": "a session was closed",
    "worker.joined": "a worker connected; it is given tasks from now on",
    "worker.returned": "a worker is connected again; what it ran meanwhile is still its own",
    "worker.left": "a worker ended by itself; what it had not done goes to others",
    "worker.lost": "a worker was away for too long; its tasks go to others, and each that had begun is charged a crash",
    "worker.started": "your code is loaded; connecting to the master",
    "worker.waiting": "the master cannot be reached yet; the worker tries again until it can",
    "worker.connected": "ready: connected to the master",
    "worker.disconnected": "the connection is lost; running tasks go on, results are kept until it is back",
    "call.failed": "a notice to the master could not be sent; no result depends on it",
    "worker.draining": "finishing what runs; a second signal releases everything at once",
    "worker.stopped": "stopped",
    "worker.stalled": "this process was stopped for longer than a lease; its results may come too late",
    "schedule.not_accepted": "a schedule in your code is not as it says there; `tq schedule show` has what holds",
    "schedules.not_declared": "the schedules in your code could not be declared; the worker tries again when it reconnects",
    "child.started": "a child process is ready",
    "worker.bug": "a bug in tq; the worker goes on. Please report it with this record",
    "worker.out_of_memory": "the system gave this process no more memory; the worker goes on. Give it more, or fewer --slots",
    "child.not_started": "a child process could not be started; the worker tries again",
    "child.died": "a child process died",
    "child.distrusted": "a child process broke the protocol; it is killed and replaced",
    "child.import_failed": "your code can no longer be imported; the worker tries again and again",
    "output.dropped": "tasks print faster than the output can be written here; so many bytes were left out",
    "output.not_kept": "the output of a task could not be written to its file",
    "attempt.failed": "an attempt failed; `tq show` of the task has the error",
    "log.left_out": "so many more of these were not logged",
    "task.report_refused": "the master refused this worker's report of an attempt, and the attempt has failed by that",
    "task.stale": "a result came too late: the task has been given to another worker",
    "task.dropped": "the lease of a task is lost: another worker has it, or it has ended",
    "task.given_up": "a task that runs here is asked to end, because its lease is lost: another worker has it, or it has ended",
    "task.memory": "a task took more memory than its process may have",
    "child.replaced": "a child process gets no more tasks; another is started in its place, and it ends when those in it have",
    "loop.blocked": "a task blocks the event loop that it shares with others; its process gets no more tasks, and is killed if that goes on",
    "task.runs_alone": "calls of functions with coalesce= run as one in child processes only, and here each by itself; --pool process:N@QUEUE is for these",
    "loop.starved": "functions in threads keep Python's lock (they compute) and the event loop of their process waits; --pool process:N is for these",
    "code.changed": "source files have changed; a child process is tried with the new code",
    "code.loaded": "the new code is loaded; children with the former finish what they run and are replaced",
    "preload.ready": "modules are imported; child processes are copies of this one",
    "preload.died": "the process with the preloaded modules is gone, and its copies with it; it is started again",
    "preload.not_started": "modules cannot be preloaded; it is tried again",
    "pool.scaled": "more or fewer child processes, by what waits for them",
    "pool.threads": "these are no coroutine functions: in this pool they run in threads",
    "task.given_up_stuck": "a task did not end when asked, and cannot be killed alone: its attempt is over, its process is replaced",
    "child.retired": "a child process has run as many tasks as it may, or has grown too large; it is replaced",
    "task.timeout": "a task exceeded its time limit",
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
        self.counted: Counter[str] | None = None  # events by their action, if metrics are served

    def event(self, action: str, level: str = "info", **fields: Any) -> None:
        # Before the threshold: metrics count what is not written, too.
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
        # Looked up at each event: a test or a program may have replaced it.
        stream = self._stream or sys.stderr
        with contextlib.suppress(OSError, ValueError):  # a closed log must not end the work
            stream.write(line + "\n")
            # A record of the last moment before a crash is the one that is looked for.
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
