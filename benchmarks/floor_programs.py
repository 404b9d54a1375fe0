"""The bare array floor's programs: a master, an agent and its two children, which do what cannot be left out and no more.

::

    client ─TLS─► master ─► SQLite, synced ─TLS─► agent ─socket─► child: decode, call, encode, task by task
           ◄─TLS─        ◄─ SQLite, synced ◄─TLS─       ◄─socket─

One frame, one row and one object stand for all tasks of an array. The master never reads payloads or results. An array is
stored and its lease with it, before the agent has it; its end is stored before the client has the results; what has come
meanwhile shares the next commit. Not here: keys, ids, options, errors, retries, limits, cancellation, progress, a second
worker, a restart. Each program ends when its connection does.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import sqlite3
import ssl
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import msgpack
from tq.common.wire.tls import client_context, server_context

CHILDREN: Final = 2
# At the agent: enough that no child waits for the master, little enough to share
LEASED_TASKS_MAX: Final = 4_000
HEADER: Final = struct.Struct(">IQI")  # bytes of the body, the array's number, its tasks
READ_BYTES: Final = 256 * 1024
WRITE_BYTES: Final = 64 * 1024
SCHEMA: Final = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
CREATE TABLE arrays (seq INTEGER PRIMARY KEY, tasks INTEGER NOT NULL, payloads BLOB NOT NULL) STRICT;
CREATE TABLE leases (array INTEGER PRIMARY KEY, start INTEGER NOT NULL, stop INTEGER NOT NULL) STRICT;
CREATE TABLE ends (array INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, results BLOB NOT NULL) STRICT;
"""


class Frame(NamedTuple):
    """An array on its way: ``body`` is a msgpack array of as many payloads or results, each encoded by itself."""

    number: int
    tasks: int
    body: bytes


class Link:
    """Frames through a socket that never blocks. Raises EOFError when the other side has gone."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line, self._read, self.unsent = line, bytearray(), bytearray()

    def fileno(self) -> int:
        return self._line.fileno()

    def close(self) -> None:
        self._line.close()

    def add(self, frame: Frame) -> None:
        self.unsent += HEADER.pack(len(frame.body), frame.number, frame.tasks) + frame.body

    def flush(self) -> None:
        try:
            while self.unsent:
                del self.unsent[: self._line.send(self.unsent[:WRITE_BYTES])]
        except (BlockingIOError, ssl.SSLWantWriteError):
            return  # the rest goes when the other side has read

    def frames(self) -> list[Frame]:
        """What is whole by now."""
        try:
            while data := self._line.recv(READ_BYTES):
                self._read += data
            raise EOFError
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # that is all, for now
        found, at, whole = [], 0, bytes(self._read)
        while len(whole) - at >= HEADER.size:
            size, number, tasks = HEADER.unpack_from(whole, at)
            end = at + HEADER.size + size
            if len(whole) < end:
                break
            found.append(Frame(number, tasks, whole[at + HEADER.size : end]))
            at = end
        del self._read[:at]
        return found


def readable(links: Sequence[Link]) -> list[Link]:
    """Waits, and sends what was left over meanwhile."""
    ready, writable, _ = select.select(links, [link for link in links if link.unsent], [])
    for link in writable:
        link.flush()
    return ready


def serve(pipe: Connection, certificate: Path, key: Path, file: Path) -> None:
    """The master: says its port, and when the agent has connected, who comes first."""
    context, lines = server_context(certificate, key), []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for word in (server.getsockname()[1], "the agent has connected"):
            pipe.send(word)
            bare, _ = server.accept()
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines.append(context.wrap_socket(bare, server_side=True))
    agent, client = map(Link, lines)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript(SCHEMA)
        try:
            _transactions(db, agent, client)
        except EOFError:
            return


def _transactions(db: sqlite3.Connection, agent: Link, client: Link) -> None:
    numbers, seqs, leased = {}, count(1), 0
    waiting: deque[tuple[int, int]] = deque()
    while True:
        ready = readable((agent, client))
        submitted = client.frames() if client in ready else []
        reported = agent.frames() if agent in ready else []
        db.execute("BEGIN")
        new = {next(seqs): frame for frame in submitted}
        db.executemany(
            "INSERT INTO arrays VALUES (?, ?, ?)", [(seq, one.tasks, one.body) for seq, one in new.items()]
        )
        waiting += [(seq, frame.tasks) for seq, frame in new.items()]
        numbers.update({seq: frame.number for seq, frame in new.items()})
        db.executemany("DELETE FROM leases WHERE array = ?", [(frame.number,) for frame in reported])
        db.executemany(
            "INSERT INTO ends VALUES (?, 0, ?, ?)", [(one.number, one.tasks, one.body) for one in reported]
        )
        leased -= sum(frame.tasks for frame in reported)
        leases = []
        while waiting and leased < LEASED_TASKS_MAX:
            seq, tasks = waiting.popleft()
            leases.append((seq, 0, tasks))
            leased += tasks
            agent.add(Frame(seq, tasks, new[seq].body if seq in new else _payloads(db, seq)))
        db.executemany("INSERT INTO leases VALUES (?, ?, ?)", leases)
        db.execute("COMMIT")
        for frame in reported:
            client.add(frame._replace(number=numbers.pop(frame.number)))
        agent.flush()
        client.flush()


def _payloads(db: sqlite3.Connection, seq: int) -> bytes:
    """Of an array that had to wait: its payloads are on disk and not in memory."""
    [payloads] = db.execute("SELECT payloads FROM arrays WHERE seq = ?", (seq,)).fetchone()
    return bytes(payloads)


def lead(port: int) -> None:
    """The agent: gives each array to the child that has fewer tasks, and passes on what they report."""
    context, children = multiprocessing.get_context("spawn"), []
    for _ in range(CHILDREN):
        ours, theirs = socket.socketpair()
        context.Process(target=work, args=(theirs,), daemon=True).start()
        theirs.close()
        children.append(Link(ours))
    master, owed = connected(port), dict.fromkeys(children, 0)
    try:
        while True:
            for link in readable((master, *children)):
                for frame in link.frames():
                    if link is master:
                        least = min(owed, key=owed.__getitem__)
                        owed[least] += frame.tasks
                        least.add(frame)
                    else:
                        owed[link] -= frame.tasks
                        master.add(frame)
            for link in (master, *children):
                link.flush()
    except EOFError:
        return


def connected(port: int) -> Link:
    """To the master, through TLS."""
    bare = socket.create_connection(("127.0.0.1", port))
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Link(client_context().wrap_socket(bare))


def work(line: socket.socket) -> None:
    """A child: decodes each payload, calls the function, encodes each result."""
    link, pack, unpack = Link(line), msgpack.Packer(autoreset=True).pack, msgpack.unpackb
    try:
        while readable((link,)):
            for frame in link.frames():
                results = []
                for payload in unpack(frame.body):
                    args, kwargs = unpack(payload)
                    results.append(pack(nothing(*args, **kwargs)))
                link.add(frame._replace(body=pack(results)))
                link.flush()
    except EOFError:
        return


def nothing(value: object) -> object:
    return value
