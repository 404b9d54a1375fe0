"""What holds under the name of each limit: as programs declare it in their code, with what an operator has laid over that.

::

    a submit declares ─► no such name: it holds from now on
                     ├─► as it is declared already: nothing changes
                     └─► otherwise: the key that declared it first changes it, once no other connected program declares what holds;
                         until then, and for every other key, what holds stays, and `tq limits ls` shows that programs differ
    an operator sets ─► laid over what is declared, until reset

A limit is the cluster's: tasks of all keys that name it share it. It is a row in the store; in memory is which connected program
declares what, on the account of its key. Who is held back by a limit is not decided here. One of several shards has a part of a limit that
has no tag in its name; the row says the whole.

Invariant: what ``in_force`` says is what the row says, at every commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

from ...common.domain.likely_names import likely_name
from ...common.domain.limit_parts import LimitHere, check_parts, is_in_every, limit_here
from ...common.domain.limits import Limit, laid_over, limit_from_wire, still_laid_over
from ...common.domain.shards import ONLY_SHARD, Shard
from ...common.errors import InvalidArgument, QuotaExceeded
from ...common.runtime.limited_log import LimitedLog
from ...common.wire.frames import pack, unpack
from ..engine.accounts import Resource, charged
from ..engine.clock import Now, Timeline
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.limits import LimitRow
from ..store.interface.store import Picture, Store

LIMITS_MAX: Final = 10_000  # names in the cluster
LIMITS_OF_KEY_MAX: Final = 5_000  # half is left to others


class NamedLimit(NamedTuple):
    """``holds`` None: an operator has lifted it. ``here``: what this shard has of that."""

    row: LimitRow
    declared: Limit
    holds: Limit | None
    here: LimitHere | None


class LimitTotals(NamedTuple):
    """What all keys of a limit have together. ``running``: units; ``waiting``: tasks that are ready and have not begun."""

    keys: int = 0
    running: int = 0
    waiting: int = 0


class KeyUsage(NamedTuple):
    """What one key of a limit has. ``tokens``: units that may start now; None: the limit has no rate."""

    key: str
    running: int
    waiting: int
    tokens: float | None


class LimitUsage(Protocol):
    """Who counts what runs and waits under each limit: ``master/tasks``."""

    def totals(self, name: str) -> LimitTotals: ...
    def unfinished(self, name: str) -> int:
        """How many tasks it is a limit of that have not ended: also those that are not ready yet."""

    def keys(self, name: str, most: int, now: Now) -> list[KeyUsage]:
        """So many of its keys that have tasks which run or wait, those with the most waiting ones first."""


class NothingCounted:
    """Of a master in which no task has a limit."""

    def totals(self, name: str) -> LimitTotals:
        return LimitTotals()

    def unfinished(self, name: str) -> int:
        return 0

    def keys(self, name: str, most: int, now: Now) -> list[KeyUsage]:
        return []


class NamedLimits(Part):
    def __init__(
        self, store: Store, timeline: Timeline, report: Callable[..., None], shard: Shard = ONLY_SHARD
    ) -> None:
        self._store, self._timeline, self.shard = store.limits, timeline, shard
        self.usage: LimitUsage = NothingCounted()  # the one that counts is made later
        self._changed = LimitedLog(report, "limit.changed", level="info")
        self._differs = LimitedLog(report, "limit.differs")
        self._limits: dict[str, NamedLimit] = {}
        self._of_key: defaultdict[str, int] = defaultdict(int)  # names that a key declared first
        self._declaring: dict[str, dict[Session, bytes]] = {}  # who declares what, packed, by name
        self._names: dict[Session, set[str]] = {}
        self._listeners: list[Callable[[str], None]] = []

    def load(self, picture: Picture, now: Now) -> None:
        self._limits.clear()
        self._of_key.clear()
        for row in self._store.rows():
            self._limits[row.name] = self._named(row)
            self._of_key[row.key] += 1

    def closed(self, session: Session, now: Now) -> None:
        names = self._names.pop(session, set())
        session.account.give(Resource.DECLARED_LIMITS, len(names))
        for name in names:
            declaring = self._declaring[name]
            del declaring[session]
            if not declaring:
                del self._declaring[name]

    # what scheduling asks

    def in_force(self, name: str) -> LimitHere | None:
        """What holds in this shard; None: nothing bounds tasks by this name."""
        named = self._limits.get(name)
        return None if named is None else named.here

    def listen(self, listener: Callable[[str], None]) -> None:
        """``listener`` is called with the name of a limit that holds otherwise from now on."""
        self._listeners.append(listener)

    # programs

    def declare(self, limit: Limit, session: Session) -> None:
        """A submit names a limit. Raises InvalidArgument or QuotaExceeded when there is no room for another one."""
        said, named, now = pack(limit.to_wire()), self._limits.get(limit.name), self._timeline.now
        declaring = self._declaring.get(limit.name, {})
        is_known = named is not None and named.row.declared == said
        if is_known and declaring.get(session) == said:
            return
        if named is None:
            self._check_room(session.verifier.key_id)
        is_new = session not in declaring
        with charged(session.account if is_new else None, Resource.DECLARED_LIMITS):
            # Before it is noted that this program declares it: of one whose row cannot be written, nothing is.
            if named is None:
                self._put(self.row_of(limit, session.verifier.key_id))
            elif not is_known and self._may_change(named.row, session):
                self._put(named.row._replace(declared=said, since=now.steady))
                self._changed.write(now.mono / 1000, limit=limit.name, key=session.verifier.key_id)
            elif not is_known and declaring.get(session) != said:
                self._differs.write(now.mono / 1000, limit=limit.name, key=session.verifier.key_id)
        self._declaring.setdefault(limit.name, declaring)[session] = said
        self._names.setdefault(session, set()).add(limit.name)

    def declare_again(self, limit: Limit, key: str) -> None:
        """The master makes a task that was declared with a limit: it holds from now on, if nothing does under its name."""
        if limit.name not in self._limits:
            self._put(self.row_of(limit, key))

    def _may_change(self, row: LimitRow, session: Session) -> bool:
        """Only its key may, and only what no other connected program declares."""
        others = self._declaring.get(row.name, {}).items()
        return row.key == session.verifier.key_id and not any(
            said == row.declared for other, said in others if other is not session
        )

    def _check_room(self, key: str) -> None:
        if len(self._limits) >= LIMITS_MAX:
            raise InvalidArgument(
                f"there are {LIMITS_MAX:,} limits already; remove some: tq limits rm NAME. What differs from task to task is a key "
                "of one limit, by='{customer}', and no name"
            )
        if self._of_key[key] >= LIMITS_OF_KEY_MAX:
            raise QuotaExceeded(
                f"this key has declared {LIMITS_OF_KEY_MAX:,} limits; what differs from task to task is a key of one limit, "
                "by='{customer}', and no name"
            )

    # operators

    def row_of(self, limit: Limit, key: str) -> LimitRow:
        """One that is declared and not changed."""
        return LimitRow(limit.name, key, pack(limit.to_wire()), None, self._timeline.now.steady)

    def change(
        self, name: str, edits: Mapping[str, Any], now: Now, elsewhere: LimitRow | None = None
    ) -> NamedLimit:
        """Lay something over what is declared. ``elsewhere``: what is declared in another shard, if nothing is here."""
        named = self.get(name) if elsewhere is None or name in self._limits else self._named(elsewhere)
        merged = {**_edits(named.row), **edits}
        holds = (laid_over if "burst" in edits else still_laid_over)(named.declared, merged)
        if holds is not None:
            check_parts(holds, self.shard.of)
        return self._put(named.row._replace(edits=pack(merged) if merged else None, since=now.steady))

    def reset(self, name: str, now: Now) -> NamedLimit:
        """It holds as it is declared."""
        row = self.get(name).row
        return self._put(row._replace(edits=None, since=now.steady))

    def drop(self, name: str, tasks: int) -> None:
        """``tasks``: that have not ended and are under it."""
        named, programs = self.get(name), len(self._declaring.get(name, ()))
        if tasks or programs:
            raise InvalidArgument(
                f"limit {name!r} is in use: tasks that run or wait under it: {tasks:,}, connected programs that declare it: "
                f"{programs:,}; remove it later, or lift it now: tq limits set {name} --max-running none --rate none"
            )
        if named.row.edits is not None and is_in_every(name, self.shard.of):
            # Another shard may keep it, as it is set: what is declared would hold here beside that.
            raise InvalidArgument(
                f"limit {name!r} was set, and each of the {self.shard.of:,} shards forgets it by itself: one in which it is used would keep "
                f"what was set, and more could run in all; first let it be as declared: tq limits set {name} --reset"
            )
        self._store.drop(name)
        del self._limits[name]
        self._of_key[named.row.key] -= 1
        self._tell(name)

    # what is shown

    def get(self, name: str) -> NamedLimit:
        """Raises InvalidArgument."""
        named = self._limits.get(name)
        if named is None:
            likely = likely_name(name, self._limits)
            raise InvalidArgument(
                f"there is no limit {name!r}; "
                + (
                    f"did you mean {likely!r}? "
                    if likely
                    else "it is known once a task that has it is submitted; "
                )
                + "`tq limits ls` shows them"
            )
        return named

    def listing(self, after: str, most: int) -> list[NamedLimit]:
        """Those with a name above this, in order."""
        names = (name for name in sorted(self._limits) if name > after)
        return [self._limits[name] for name in islice(names, most)]

    def programs(self, named: NamedLimit) -> tuple[int, int]:
        """How many connected programs declare it, and how many of them otherwise than it is declared."""
        said = self._declaring.get(named.row.name, {}).values()
        return len(said), sum(one != named.row.declared for one in said)

    def _named(self, row: LimitRow) -> NamedLimit:
        declared = limit_from_wire(unpack(row.declared))
        holds = still_laid_over(declared, _edits(row))
        return NamedLimit(row, declared, holds, None if holds is None else limit_here(holds, self.shard))

    def _put(self, row: LimitRow) -> NamedLimit:
        named = self._named(row)
        self._store.put(row)
        self._of_key[row.key] += row.name not in self._limits
        self._limits[row.name] = named
        self._tell(row.name)
        return named

    def _tell(self, name: str) -> None:
        for listener in self._listeners:
            listener(name)


def edits_of(named: NamedLimit) -> dict[str, Any]:
    return _edits(named.row)


def _edits(row: LimitRow) -> dict[str, Any]:
    return {} if row.edits is None else dict(unpack(row.edits))
