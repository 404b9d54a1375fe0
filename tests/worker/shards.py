"""A worker whose cluster has several shards: masters that answer when a test says so."""

from __future__ import annotations

from collections import deque
from typing import Any

from tq.common.domain.shards import shard_of_id, with_shard
from tq.worker.agent.finish_call import FinishCall
from tq.worker.agent.leasing import SharedLeasing

from .workshop import LEASE, Row, Workshop, as_granted, one_by_one


class ShardedWorkshop(Workshop):
    """``asked``: unanswered lease calls, of each shard. ``finished``: unanswered reports, as ``[shard, call]``."""

    def __init__(self, shards: int, slots: int = 2, **limits: Any) -> None:
        super().__init__(slots, connected=False, **limits)
        self.asked: list[deque[tuple[int, bool]]] = [deque() for _ in range(shards)]
        self.finished: deque[tuple[int, FinishCall]] = deque()
        self.silences: list[float] = []
        self.agent.side.divide(shards, self)
        for shard in range(shards):
            self.agent.connect([], self.now, shard)

    # effects

    def look(self, shard: int, want: int, *, waits: bool) -> None:
        self.asked[shard].append((want, waits))

    def look_later(self, seconds: float) -> None:
        self.silences.append(self.now + seconds)

    def finish(self, call: FinishCall) -> None:
        self.finished.append((shard_of_id(call.first), call))

    # masters

    def ids(self, shard: int, count: int) -> list[bytes]:
        return [with_shard(next(self._ids), shard).to_bytes(16, "big") for _ in range(count)]

    def answer(
        self,
        shard: int,
        count: int = 1,
        *,
        suspect: bool = False,
        lease: bytes = LEASE,
        needs: dict[str, int] | None = None,
    ) -> list[bytes]:
        """The master of a shard answers its oldest lease call with so many tasks; their ids."""
        want, waits = self.asked[shard].popleft()
        assert count <= want
        assert count or not waits
        entries: list[Row] = [[id, 1, b"payload"] for id in self.ids(shard, count)]
        granted = as_granted([[*one, True] if suspect else one for one in entries])
        self.agent.granted(
            lease,
            [["q", "m:f", None, granted, *([needs] if needs else [])]] if entries else [],
            self.now,
            shard,
        )
        return [one[0] for one in entries]

    def settle(self, *but: int) -> None:
        """Masters without work say so, until nothing is left to be answered; not those of ``but``."""
        while True:
            looked = [
                at for at, calls in enumerate(self.asked) if at not in but and calls and not calls[0][1]
            ]
            if not looked:
                return
            for shard in looked:
                self.answer(shard, 0)

    def acknowledge_of(self, shard: int) -> list[Row]:
        """The master of a shard answers its finish call; the rows."""
        [place] = [at for at, (of, _) in enumerate(self.finished) if of == shard]
        _, call = self.finished[place]
        del self.finished[place]
        self.agent.finished(set(), self.now, shard)
        return [list(row) for row in call.rows()]

    def lose(self, shard: int) -> None:
        """The connection to it breaks; what was asked is never answered."""
        self.asked[shard].clear()
        self.finished = deque(one for one in self.finished if one[0] != shard)
        self.agent.disconnect(shard)

    def be_silent(self, seconds: float) -> None:
        """So much time passes, and timers with it."""
        until = self.now + seconds
        while self.silences and min(self.silences) <= until:
            self.now = min(self.silences)
            self.silences.remove(self.now)
            leasing = self.agent.side.leasing
            assert isinstance(leasing, SharedLeasing)
            leasing.over(self.now)
        self.now = until

    def begin_and_end(self, child: int) -> bytes:
        """One task of this child; its report is not acknowledged."""
        return self.run(child)

    @property
    def released_ids(self) -> list[bytes]:
        return [row[0] for row in one_by_one(self.released)]
