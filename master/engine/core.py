"""What an engine and its parts share: store, clock, presence, timers, and the event that tasks have ended."""

from __future__ import annotations

from collections.abc import Callable

from ...common.domain.shards import ONLY_SHARD, Shard
from ..store.interface.store import Store
from .agenda import Agenda
from .clock import Timeline
from .endings import Endings
from .limits import EngineLimits
from .presence import Presence
from .released import Released
from .room import Reserve, Room
from .session import Session


class Core:
    """Made before the parts, which are made before the engine. ``report``: the shell's log, ``report(action, level=…,
    **fields)``."""

    def __init__(
        self,
        store: Store,
        limits: EngineLimits,
        *,
        random: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        report: Callable[..., None],
        seconds: Callable[[], float] | None = None,
        reserve: Reserve | None = None,
        shard: Shard = ONLY_SHARD,
    ) -> None:
        """``seconds``: a monotonic clock; see work.py. ``reserve``: see room.py. ``shard``: the one that the store is of."""
        self.shard = shard
        self.store, self.limits, self.report = store, limits, report
        self.random, self.random_bytes, self.seconds = random, random_bytes, seconds
        self.timeline = Timeline(store, report)
        self.agenda, self.endings = Agenda(), Endings()
        self.released = Released(self.agenda)
        self.room = Room(self.agenda, report, reserve)
        self.closing: list[tuple[Session, str]] = []
        self.presence = Presence(self.agenda, limits, self.close_later)

    def close_later(self, session: Session, reason: str) -> None:
        """An effect: to be closed after the answers of this transaction have left."""
        self.closing.append((session, reason))
