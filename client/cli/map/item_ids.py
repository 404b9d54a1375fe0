"""The id of each item's task, computed from the run and the number of the item: a run that goes on names the same tasks.

::

    a queue in one shard      run's shard, and the number as place
    a queue in every shard    by the key of the item's limit, if that has a shard for each key; else in turn, a block of neighbours in
                              each shard: blocks of one shard are consecutive, so that the run is one array there
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ....common.domain.limit_parts import is_divided
from ....common.domain.shards import shard_of_id
from ...tasks.home import ANY_SHARD, home_of
from ...tasks.spreading import TURN_TASKS, shard_for, texts_of
from .item_lanes import ItemLanes, Keys
from .journal import line_id

if TYPE_CHECKING:
    from ...core.session import ClientSession
    from ...tasks.options import Choice

FIRST_OF_RUN: Final = slice(8, 10)  # bytes of a run's id that are random: programs begin at different shards


class ItemIds:
    """Of one run. Asks for the number of shards. Raises InvalidArgument for what is not together."""

    def __init__(self, session: ClientSession, choice: Choice, lanes: ItemLanes) -> None:
        self._session, self._queue, self._lanes = session, choice.queue, lanes
        home = home_of(session, choice)
        self.shard = max(0, home)  # of the run's own id, which names no task
        self._is_spread = home == ANY_SHARD
        # In one shard neighbours would have its part of the limit alone.
        divides = any(is_divided(one.name, session.shards) for one in choice.terms.limits)
        self._block = 1 if divides else TURN_TASKS

    def of(self, run: bytes, number: int, keys: Keys = ()) -> bytes:
        """``keys``: of the item's limits. Raises InvalidArgument for keys of which two want the task in different shards."""
        if not self._is_spread:
            return line_id(run, number, shard_of_id(run))
        columns = self._lanes.choice([keys]).columns
        shard = shard_for(self._session, self._queue, texts_of(columns, 0), ())
        if shard is not None:
            return line_id(run, number, shard)
        block, place = divmod(number, self._block)
        round, turn = divmod(block, self._session.shards)
        begins = int.from_bytes(run[FIRST_OF_RUN], "big")
        return line_id(run, round * self._block + place, (begins + turn) % self._session.shards)
