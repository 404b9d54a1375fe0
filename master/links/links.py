"""Passes rows between the shards of one process, and has those of others read (``elsewhere.py``).

::

    a transaction of A is committed ─► A's listener ─► in the same turn of the loop: rows to B ─► B's next transaction
                                                                                                       │
                       A forgets them, with what it writes next ◄─────────────── B's listener ◄────────┘

Nothing is looked at while nothing is said: shards at rest cost nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from ...common.runtime.callbacks import report_bug
from .elsewhere import LinksElsewhere
from .linked import LinkedShard, hand


class Links:
    """On the loop. ``shards``: of this process, by number. ``elsewhere``: None, all shards of the cluster are in this process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        shards: dict[int, LinkedShard],
        elsewhere: LinksElsewhere | None,
        report: Callable[..., None],
    ) -> None:
        self._loop, self._shards, self._elsewhere, self._report = loop, shards, elsewhere, report
        # Pairs between which something is to pass, the smaller number first
        self._said: set[tuple[int, int]] = set()
        self._has_begun = self._is_closed = self._is_due = False

    def begin(self) -> None:
        """From now on rows pass."""
        self._has_begun = True
        self._soon()

    def close(self) -> None:
        """Nothing passes any more: what was not committed by who got it is handed on again by the next process."""
        if self._is_closed:
            return
        self._is_closed = True
        for number in list(self._shards):
            self.forget(number)
        if self._elsewhere is not None:
            self._elsewhere.close()

    def add(self, shard: LinkedShard) -> None:
        """It is served here from now on."""
        number, others = shard.number, set(self._shards)
        self._shards[number] = shard
        if self._elsewhere is not None:
            self._elsewhere.came(number)
        shard.edges.listener, shard.edges.wake = partial(self._committed, number), shard.wake
        # What the others here have for it was left where it was.
        self._committed(number, others | shard.edges.expects())

    def forget(self, number: int) -> None:
        shard = self._shards.pop(number, None)
        if shard is not None:
            shard.edges.listener, shard.edges.wake = (lambda others: None), (lambda: None)

    def seen(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Of a shard that has rows, and the one that they are for: either may be here or not."""
        shards = self._shards
        if self._elsewhere is not None and self._has_begun and not self._is_closed:
            self._elsewhere.look([(to, of) for of, to in pairs if to in shards and of not in shards])

    def _committed(self, number: int, others: AbstractSet[int]) -> None:
        """Something is committed that concerns these: rows for them, or theirs that were applied."""
        self._said.update((min(number, other), max(number, other)) for other in others if other != number)
        self._soon()

    def _soon(self) -> None:
        if self._has_begun and self._said and not self._is_due and not self._is_closed:
            self._is_due = True
            self._loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        self._is_due, said, self._said = False, self._said, set()
        for pair in sorted(said):
            here = [self._shards[number] for number in pair if number in self._shards]
            try:
                if len(here) == 2:
                    hand(*here)
                    hand(*reversed(here))
                elif here and self._elsewhere is not None:
                    self._elsewhere.committed(here[0], pair[pair[0] == here[0].number])
            except Exception as error:
                report_bug(self._report, error)
