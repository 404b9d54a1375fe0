"""Quotas: what each key holds now, and all keys together, counted in things and in the memory that these take. Pure.

::

    a session, a call, … ──take(what, how many)──► the account of its key ──► the account of all
                          ◄─ QuotaExceeded ─┘  ◄──────────── give(what, how many), once it is gone

A session, a parked call or a watched task is small, and a million of them are not: so every kind of thing has a
weight, and a key that stays below each limit still has a bound on the memory that it uses up here.

Invariants: 1. nothing is taken when ``take`` raises; 2. what was taken is given back exactly once; 3. the account of
all is the sum of the others.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from ...common.auth.keys import AUTHKEY_ID
from ...common.errors import QuotaExceeded
from .traffic import KIB, MIB, Traffic

KEY_BYTES_MAX: Final = 240 * MIB  # of memory, by weight: what one key may cost the master
ALL_BYTES_MAX: Final = 1024 * MIB  # four keys that have all they may leave something to others


class Resource(enum.IntEnum):
    """What is counted."""

    SESSIONS = 0
    CHILDREN = 1
    STREAMS = 2
    CALLS = 3
    PARKED_BYTES = 4
    WATCHED = 5
    OUTCOME_BYTES = 6
    ANNOUNCED_BYTES = 7
    NAMES = 8
    UPLOADS = 9
    INCOMING_BYTES = 10
    UNREAD_BYTES = 11
    QUEUES = 12
    SYNCS = 13
    DATA = 14
    ORIGINS = 15
    PUTTERS = 16
    HELD = 17
    SERVED_ROUTES = 18
    CLAIMS = 19
    WATCHED_BLOCKS = 20
    FLOWS = 21
    DEPENDENTS = 22
    NEEDS = 23
    DECLARED_LIMITS = 24
    LANES = 25
    LIMIT_KEYS = 26
    NEEDED_ELSEWHERE = 27


class AccountLimit(NamedTuple):
    """``key``, ``all``: how many one key, and all together, may have. ``weight``: bytes of memory each, as measured; 0: rows of the store."""

    key: int
    all: int
    weight: int
    words: str  # for people: "this key has 10 <words>"
    remedy: str


LIMITS: Final[dict[Resource, AccountLimit]] = {
    # A session's first calls are in its weight: see session.py. Besides, three quarters of the descriptors. Workers of a large cluster share a key: so many are honest.
    Resource.SESSIONS: AccountLimit(
        10_000, 1_000_000, 22 * KIB, "connections", "close some, or use a second key"
    ),
    Resource.CHILDREN: AccountLimit(
        20_000, 200_000, 6 * KIB, "children of workers that call the master", "use a second key"
    ),
    Resource.STREAMS: AccountLimit(
        20_000, 200_000, 1_536, "result streams", "use one for all tasks of a program"
    ),
    Resource.CALLS: AccountLimit(50_000, 500_000, 1_280, "calls without an answer", "wait for some of them"),
    Resource.PARKED_BYTES: AccountLimit(
        32 * MIB, 128 * MIB, 1, "bytes in calls that wait", "wait until there is room for what was put"
    ),
    Resource.WATCHED: AccountLimit(
        1_000_000, 4_000_000, 220, "tasks whose outcomes are not collected yet", "collect some first"
    ),
    # Of a map one for thousands; of tasks with ids of their own, as those with a key have, one for each.
    Resource.WATCHED_BLOCKS: AccountLimit(
        250_000, 1_000_000, 720, "watched tasks whose ids are far from each other", "collect some first"
    ),
    Resource.OUTCOME_BYTES: AccountLimit(16 * MIB, 128 * MIB, 1, "bytes of outcomes", "collect some first"),
    Resource.ANNOUNCED_BYTES: AccountLimit(
        32 * MIB,
        256 * MIB,
        1,
        "bytes of announcements of workers",
        "announce fewer tasks, or use a second key",
    ),
    # A route is never deleted; half of what the master has is left to others.
    Resource.NAMES: AccountLimit(
        50_000, 100_000, KIB, "names of tasks in queues since the master started", "use fewer names"
    ),
    # A lane is forgotten with the last of its tasks.
    Resource.LANES: AccountLimit(
        200_000,
        400_000,
        KIB,
        "tenants, keys of limits, needs and handlers that tasks here have",
        "use fewer of them, or wait until results are deleted",
    ),
    # Of lanes that are here, and of those that were while their tokens are not back: a rate of '1/d' keeps each key for a day.
    Resource.LIMIT_KEYS: AccountLimit(
        200_000,
        800_000,
        512,
        "keys of limits of tasks that are here, or whose tokens are not back yet",
        "use fewer keys, or a rate whose tokens come back sooner",
    ),
    # Named things that programs keep here. What was here when the master started is on no key's account.
    Resource.QUEUES: AccountLimit(
        20_000, 100_000, 2_560, "item queues", "use fewer names, or delete some: tq queues delete NAME"
    ),
    Resource.SYNCS: AccountLimit(
        20_000,
        100_000,
        2 * KIB,
        "locks, events and barriers",
        "use fewer names, or delete some: tq locks delete NAME",
    ),
    Resource.DATA: AccountLimit(
        5_000, 10_000, KIB, "named values", "use fewer names, or delete some: tq data delete NAME"
    ),
    Resource.ORIGINS: AccountLimit(
        20_000,
        100_000,
        640,
        "pairs of an item queue and one for its results since the master started",
        "use fewer names",
    ),
    Resource.PUTTERS: AccountLimit(
        400_000,
        1_600_000,
        256,
        "programs that put items during the last day",
        "let one program put many",
    ),
    Resource.HELD: AccountLimit(
        200_000, 800_000, 320, "items that were taken and not confirmed", "confirm some first"
    ),
    Resource.CLAIMS: AccountLimit(
        200_000, 800_000, 320, "locks and permits that it holds", "release some first"
    ),
    # Beyond it nothing is refused but the next kind of worker: those that are here are not offered further names.
    Resource.SERVED_ROUTES: AccountLimit(
        100_000,
        1_000_000,
        160,
        "pairs of a task name in a queue and a kind of worker that serves it",
        "start workers with the same --allow and --queue, or use fewer names",
    ),
    Resource.FLOWS: AccountLimit(
        20_000, 100_000, 2 * KIB, "flows that have not ended", "wait until some have ended, or cancel them"
    ),
    # The end of one task is counted by all that need it in one transaction: some 3 µs each.
    Resource.DEPENDENTS: AccountLimit(
        25_000,
        250_000,
        512,
        "tasks that wait for others",
        "map over handles, of which a thousand count as one, or wait for some",
    ),
    # What ends takes its needs out of memory: some 5 µs each.
    Resource.NEEDS: AccountLimit(
        100_000,
        1_000_000,
        256,
        "runs of tasks that others wait for",
        "need tasks of a map, which are one run, or merge them in stages",
    ),
    # Not of memory, but of the store: each has a row where it is needed, also one that was never submitted.
    Resource.NEEDED_ELSEWHERE: AccountLimit(
        5_000_000,
        20_000_000,
        0,
        "tasks of other shards that tasks of this one wait for",
        "wait until some of those that wait have ended",
    ),
    Resource.DECLARED_LIMITS: AccountLimit(
        50_000, 500_000, 512, "limits that connected programs declare", "declare fewer in each program"
    ),
    Resource.UPLOADS: AccountLimit(256, 1_024, 1 * KIB, "uploads under way", "finish some first"),
    Resource.INCOMING_BYTES: AccountLimit(
        80 * MIB, 256 * MIB, 1, "bytes of messages that have not arrived whole", "send fewer at a time"
    ),
    Resource.UNREAD_BYTES: AccountLimit(
        64 * MIB, 256 * MIB, 1, "bytes of answers that it does not read", "read them"
    ),
}


class Account:
    """What one key holds; without ``total``, what all keys hold. ``is_shared``: the key is the only one there is, and its
    limits are those of all."""

    __slots__ = ("bytes", "held", "is_shared", "total", "traffic")

    def __init__(self, total: Account | None = None, *, is_shared: bool = False) -> None:
        self.total, self.is_shared = total, is_shared
        # A list by number and not a dict: this is touched by every call.
        self.held = [0] * len(Resource)
        self.bytes = 0  # of memory, by weight
        self.traffic = Traffic()

    def take(self, what: Resource, count: int = 1) -> None:
        """So many more. Raises QuotaExceeded, with nothing taken."""
        limit, total = LIMITS[what], self.total
        size = count * limit.weight
        if total is not None:
            # All first: then nothing was taken from the key when the total refuses.
            if total.held[what] + count > limit.all or total.bytes + size > ALL_BYTES_MAX:
                raise total.refusal(what, count)
            if not self.is_shared and (
                self.held[what] + count > limit.key or self.bytes + size > KEY_BYTES_MAX
            ):
                raise self.refusal(what, count)
            total.held[what] += count
            total.bytes += size
        self.held[what] += count
        self.bytes += size

    def note(self, what: Resource, count: int) -> None:
        """Count so many more, even beyond the limits: they were checked a moment ago and cannot be refused any more."""
        size, total = count * LIMITS[what].weight, self.total
        self.held[what] += count
        self.bytes += size
        if total is not None:
            total.held[what] += count
            total.bytes += size

    def give(self, what: Resource, count: int = 1) -> None:
        """So many are gone."""
        self.note(what, -count)

    def takes(self, what: Resource, count: int) -> bool:
        """``take`` for a caller that can do without: whether there was room."""
        try:
            self.take(what, count)
        except QuotaExceeded:
            return False
        return True

    def check(self, what: Resource, count: int) -> None:
        """Raises QuotaExceeded where ``take`` would."""
        self.take(what, count)
        self.give(what, count)

    def refusal(self, what: Resource, count: int = 1) -> QuotaExceeded:
        """Why so many more are too many, and what to do."""
        limit, who, most, bytes_max = LIMITS[what], "this key has", LIMITS[what].key, KEY_BYTES_MAX
        if self.total is None:
            who, most, bytes_max = "all keys together have", limit.all, ALL_BYTES_MAX
        if self.held[what] + count > most:
            return QuotaExceeded(f"{who} {self.held[what]:,} {limit.words}; at most {most:,}: {limit.remedy}")
        # Its number is not the cause: say the memory, or the remedy would name a count that is far from its limit.
        return QuotaExceeded(
            f"what {who} here takes {self.bytes // MIB:,} MiB of the master's memory, {self.held[what]:,} "
            f"{limit.words} among it; at most {bytes_max // MIB:,} MiB: {limit.remedy}"
        )


class Accounts:
    """One account for each key that has been here, and one of all. A plain authkey is one key for all programs."""

    def __init__(self) -> None:
        self.total = Account()
        self._of_key: dict[str, Account] = {}

    def of(self, key_id: str) -> Account:
        account = self._of_key.get(key_id)
        if account is None:
            account = Account(self.total, is_shared=key_id == AUTHKEY_ID)
            self._of_key[key_id] = account
        return account


@contextmanager
def charged(account: Account | None, what: Resource) -> Iterator[None]:
    """Take one on this account, for what is stored within, and give it back if that fails: while a disk takes no writes, programs ask for
    the same again and again. None: it is on none. Raises QuotaExceeded."""
    if account is None:
        yield
        return
    account.take(what)
    try:
        yield
    except BaseException:
        account.give(what)
        raise


def give_back(account: Account | None, what: Resource, count: int = 1) -> None:
    """So many are gone that were taken on this account; None: they were here when the master started, and are on none."""
    if account is not None:
        account.give(what, count)
