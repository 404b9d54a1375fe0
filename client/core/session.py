"""A session: one program's connection to a master, and calls over it. Connects when it is first used.

::

    App ──► tasks, items, locks, blobs ──► ClientSession ──► ClientLink: the I/O thread and its connection

All of the client except the App is built on it. It serves any number of threads and event loops, and outlives
connections; after ``os.fork`` the child gets its own connection. The state that a subject keeps for a session is a *part*
of it: made on first use, dropped with the session, and made again in a forked child.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ...common.contract.table import is_repeatable
from ...common.domain.shards import shard_of_name
from ...common.errors import StoreError, Unreachable
from .fork import in_child

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .io_thread import ClientLink
    from .settings import Settings

# For calls that a running master answers at once. A master that restarts is back in a few seconds. Calls that wait by
# their nature (for an item, a lock, a result) wait for a reconnect without this limit; a caller that asks for the size
# of a queue did not ask to wait.
MASTER_TIMEOUT_SECONDS: Final = 30.0
AFTER_EVERYTHING: Final = -100  # exit priority: after all other finalizers of multiprocessing

T = TypeVar("T")


class ClientSession:
    """Calls to one master. ``before_call``: flushes this thread's open batch before any other call; None until a batch was
    opened."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Reentrant: the garbage collector may end a handle while this thread holds the lock, and that asks for a part.
        self._lock = threading.RLock()
        self._link: ClientLink | None = None
        self._links_of_parents: list[ClientLink] = []  # kept, so that nothing in them is closed by collection
        self._parts: dict[Callable[[ClientSession], Any], Any] = {}
        self._cluster: str | None = None  # the id of its master, once it is known
        self.known_shards: int | None = None  # how many the cluster has, as soon as it had to be known
        self.before_call: Callable[[ClientSession], None] | None = None
        _sessions.add(self)

    def __repr__(self) -> str:
        return f"<ClientSession {self._settings.shown_url}>"

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def url(self) -> str | None:
        """As given; None: found by discovery."""
        return self._settings.url

    @property
    def authkey(self) -> str | None:
        """As given; None: found by discovery."""
        return self._settings.authkey

    def part(self, kind: Callable[[ClientSession], T]) -> T:
        """The state that ``kind`` keeps for this session; the same object each time."""
        known = self._parts.get(kind)  # without the lock: this runs for every task
        if known is None:
            with self._lock:
                known = self._parts.get(kind)
                if known is None:
                    known = self._parts[kind] = kind(self)
        return cast(T, known)

    # calls

    def call(self, target: Sequence[Any], method: str, *args: Any, timeout: float | None = None) -> Any:
        """One call on an exposed object ``(name, *arguments)``, in plain envelope values; its answer."""
        future = self.start_call(target, method, *args)
        try:
            return future.result(timeout)
        except TimeoutError:
            # The call itself was answered by a TimeoutError: that is the answer, no timeout of ours.
            if future.done():
                raise
            future.cancel()
            raise TimeoutError(f"{target[0]}.{method} was not answered within {timeout:g} s") from None

    def start_call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        return self.sent_link().call(target, method, args, repeatable=is_repeatable(target[0], method))

    def start_until_done(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        """As ``start_call``, but the call is repeated until the master has done it, even if the caller stops waiting."""
        return self.sent_link().call(target, method, args, repeatable=True, until_done=True)

    def ask(self, target: Sequence[Any], method: str, *args: Any) -> Any:
        """Make a call that the master answers at once, and wait for the answer. Raises Unreachable when there has been no
        connection for MASTER_TIMEOUT_SECONDS."""
        return self.answer_of(self.start_call(target, method, *args))

    def answer_of(self, future: Future[Any]) -> Any:
        """As ``ask``, for a call that was started already."""
        while True:
            try:
                # Counted from the loss of the connection: with a master that is there it waits on.
                return future.result(
                    MASTER_TIMEOUT_SECONDS - min(self.link.away_of(future), MASTER_TIMEOUT_SECONDS)
                )
            except TimeoutError:
                if future.done():
                    return future.result()
                if self.link.away_of(future) >= MASTER_TIMEOUT_SECONDS:
                    future.cancel()
                    raise Unreachable(
                        f"the master at {self.url or 'the address that was found'} has been away for "
                        f"{MASTER_TIMEOUT_SECONDS:g} s; is tq-master running there? The call may still be done when it is back"
                    ) from None

    def confirmed(self, future: Future[Any]) -> Any:
        """The answer to a call of ``start_until_done``. Raises Unreachable or StoreError when there is none within
        MASTER_TIMEOUT_SECONDS; the call is still repeated after that."""
        seconds = MASTER_TIMEOUT_SECONDS
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise
            if away := self.link.away_of(future):
                raise Unreachable(
                    f"the master has been away for {away:.0f} s; the call is repeated until it is back"
                ) from None
            raise StoreError(
                f"the master's store has failed for {seconds:g} s; the call is repeated until it works again: `tq doctor` "
                "shows what is wrong"
            ) from None

    @property
    def known_cluster(self) -> str | None:
        """The id of its master, hex, if there has been a connection; makes no call."""
        link = self._link
        if self._cluster is None and link is not None:
            self._cluster = link.cluster
        return self._cluster

    def cluster_id(self) -> str:
        """The id of its master, hex; one call if it is not known yet. From then on the number of shards is known, too."""
        known = self.known_cluster
        if known is None:
            known = self._cluster = str(self.ask(("get_master",), "info")["cluster_id"])
        if self.known_shards is None:
            self.known_shards = self.link.shards  # the same connection has said it
        return known

    # shards

    @property
    def shards(self) -> int:
        """How many the cluster has. Waits for the first connection, if it is not known yet; makes no call. Raises what that
        connection fails with."""
        known = self.known_shards
        if known is None:
            known = self.known_shards = self.link.ask_shards().result()
        return known

    async def ashards(self) -> int:
        """As ``shards``, for an event loop."""
        import asyncio

        if self.known_shards is None:
            self.known_shards = await asyncio.wrap_future(self.link.ask_shards())
        return self.known_shards

    def shard_of(self, name: str) -> int:
        """The shard of a queue, or of whatever is found by its name."""
        shards = self.shards
        return 0 if shards == 1 else shard_of_name(name, shards)

    # the connection

    def away_from(self, shard: int) -> float:
        """As ``away_seconds``, of one shard."""
        return 0.0 if self._link is None else self._link.lines.away_from(shard)

    @property
    def away_seconds(self) -> float:
        """For how long there has been no connection; 0 while there is one, or when none was needed yet."""
        return 0.0 if self._link is None else self._link.away_seconds

    @property
    def link(self) -> ClientLink:
        """The link that makes the calls, made on first use. Raises InvalidArgument without address or key."""
        link = self._link
        if link is None:
            with self._lock:
                link = self._link
                if link is None:
                    link = self._link = self._settings.make_link()
                    # Only once there is a link: without one nothing is left to send at the end.
                    _close_with_process()
        return link

    def sent_link(self) -> ClientLink:
        """The link, after this thread's open batch was sent: the next call may be about its tasks."""
        if self.before_call is not None:
            self.before_call(self)
        return self.link

    @contextlib.contextmanager
    def redirected(self, url: str, authkey: str) -> Iterator[None]:
        """Inside the block calls go to another master."""
        before, shards = self._settings, self.known_shards
        self.close()
        self._settings, self.known_shards = replace(before, url=url, authkey=authkey), None
        try:
            yield
        finally:
            self.close()
            self._settings, self.known_shards = before, shards

    def close(self, *why: str) -> None:
        """Close the connection; calls under way fail with Unreachable, with ``why`` as its text if given. A later use
        connects again."""
        with self._lock:
            link, self._link = self._link, None
        # Outside the lock: closing waits for the I/O thread, whose callbacks may ask for a part of this session.
        if link is not None:
            link.close(*why)

    def __del__(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None:
            link.stop()  # without waiting: the collector runs in any thread

    def forked(self) -> None:
        """In a forked child: drop the link and all parts, which belong to the parent's I/O thread and connection."""
        # A new one: the old one may be held by a thread that does not exist here.
        self._lock = threading.RLock()
        self._parts = {}
        if self._link is not None:
            link, self._link = self._link, None
            self._links_of_parents.append(link)
            link.abandon_in_child()


_sessions: weakref.WeakSet[ClientSession] = weakref.WeakSet()


def every_session() -> list[ClientSession]:
    """All sessions of this process."""
    return list(_sessions)


def _close_all() -> None:
    for session in every_session():
        session.close()


def _forked() -> None:
    for session in every_session():
        session.forked()


def _close_with_process() -> None:
    """A child forked by ``multiprocessing`` exits without running ``atexit``, which would lose unsent calls: register our
    exit steps with ``multiprocessing`` as well."""
    process, util = (sys.modules.get(f"multiprocessing.{part}") for part in ("process", "util"))
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _end_as_atexit, exitpriority=AFTER_EVERYTHING)


def _end_as_atexit() -> None:
    from .io_thread import wait_for_ending

    _close_all()
    wait_for_ending()


atexit.register(_close_all)
in_child(_forked)
