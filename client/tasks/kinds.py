"""Kinds of tasks: one callable with one set of options. Tasks of one kind that are submitted one after the other have
consecutive ids, also when submits of other kinds come in between.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from ...common.domain.ids import IdSource
from .home import ONE_SHARD, home_of

if TYPE_CHECKING:
    from ...common.domain.columns import LaneColumns
    from ...common.domain.model import TaskOptions
    from ...common.domain.unique import Unique
    from ..core.session import ClientSession
    from .open_flow import OpenFlow
    from .options import Choice

KINDS_MAX: Final = 1_000  # remembered; one that was forgotten continues with other ids


class TaskKind:
    """Compared by identity: a session has one object for each kind."""

    __slots__ = ("choice", "home", "ids", "name", "of_shards")

    def __init__(self, name: str, choice: Choice, home: int = ONE_SHARD) -> None:
        self.name, self.choice = name, choice
        self.home = home  # the shard of its tasks, see ``home_of``
        self.ids = IdSource(shard=self.shard)
        self.of_shards: dict[int, TaskKind] = {}  # of one whose home is ANY_SHARD: the same in each shard

    @property
    def shard(self) -> int:
        return max(0, self.home)

    def in_shard(self, shard: int) -> TaskKind:
        """The same of tasks in this shard."""
        return self.of_shards.get(shard) or self.of_shards.setdefault(
            shard, TaskKind(self.name, self.choice, shard)
        )


class TaskKinds:
    """The kinds that a session has submitted lately. Thread-safe."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        # Guards what follows; a forked child has a registry of its own. Reentrant: the garbage collector may run code that submits.
        self._lock = threading.RLock()
        self._known: dict[
            tuple[str, str, TaskOptions, OpenFlow | None, str, LaneColumns | None, Unique | None, bool],
            TaskKind,
        ] = {}

    def of(self, name: str, choice: Choice, *, asks: bool = True) -> TaskKind:
        """``asks``: the number of shards, if it is not known yet; an outbox is written to without a master. Its home may be ANY_SHARD:
        see ``spreading.py``."""
        is_known = asks or self._session.known_shards is not None
        key = (
            name,
            choice.queue,
            choice.options,
            choice.flow,
            choice.on_full,
            choice.columns,
            choice.unique,
            is_known,
        )
        known = self._known.get(key)
        if known is None:
            # Outside the lock: the first one of a session waits for a connection.
            known = TaskKind(name, choice, home_of(self._session, choice) if is_known else ONE_SHARD)
        with self._lock:
            kind = self._known.pop(key, known)
            self._known[key] = kind  # at the end: the kind that was used least lately is forgotten first
            if len(self._known) > KINDS_MAX:
                del self._known[next(iter(self._known))]
        return kind
