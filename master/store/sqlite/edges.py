"""The embedded store's verbs for needs between shards: see ``interface.edges.EdgeStore``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ....common.domain.id_runs import IdRun
from ..interface.edges import COUNT_BITS, EdgeRow, ElsewhereRow, MirrorRow, MirrorSpan, PromiseRow
from .part import SqlitePart


class SqliteEdges(SqlitePart):
    # rows for other shards

    def add_outgoing(self, to_shard: int, rows: Sequence[EdgeRow]) -> None:
        self._exactly("add_edges", [(to_shard, *row) for row in rows])

    def forget_outgoing(self, to_shard: int, upto: int) -> None:
        self._all("forget_edges", (to_shard, upto))

    def outgoing(self, to_shard: int, after: int, limit: int) -> list[EdgeRow]:
        return [EdgeRow(*row) for row in self._all("edges_behind", (to_shard, after, limit))]

    def spans_outgoing(self) -> list[tuple[int, int, int]]:
        return self._all("spans_of_edges", (COUNT_BITS,))

    def made(self) -> Mapping[int, int]:
        return dict(self._all("edges_made"))

    def set_made(self, to_shard: int, number: int) -> None:
        self._all("set_edges_made", (to_shard, number))

    # rows of other shards

    def applied(self) -> Mapping[int, int]:
        return dict(self._all("edges_applied"))

    def set_applied(self, of_shard: int, number: int) -> None:
        self._all("set_edges_applied", (of_shard, number))

    # what is needed of other shards

    def add_needs(self, rows: Iterable[ElsewhereRow]) -> None:
        self._many("add_need_elsewhere", [(queues, *run) for queues, run in rows])

    def forget_needs(self, rows: Iterable[ElsewhereRow]) -> None:
        self._many("forget_need_elsewhere", [(queues, *run) for queues, run in rows])

    def needs(self) -> list[ElsewhereRow]:
        rows = self._all("needs_elsewhere")
        return [ElsewhereRow(queues, IdRun(first, length)) for queues, first, length in rows]

    def mirror(self, rows: Sequence[MirrorRow]) -> None:
        self._exactly("mirror", rows)

    def mirrored(self, queues: bytes, run: IdRun) -> list[MirrorRow]:
        return [MirrorRow(queues, *row) for row in self._all("mirrored", (queues, *run.ends()))]

    def mirrored_states(self, queues: bytes, run: IdRun) -> list[MirrorSpan]:
        spans: list[MirrorSpan] = []
        behind = b""
        for id, state in self._all("mirrored_states", (queues, *run.ends())):
            if spans and id == behind and spans[-1].state == state:
                spans[-1] = spans[-1]._replace(length=spans[-1].length + 1)
            else:
                spans.append(MirrorSpan(id, 1, state))
            behind = IdRun(id, 1).behind
        return spans

    def forget_mirrored(self, queues: bytes, run: IdRun, limit: int) -> int:
        return len(self._all("forget_mirrored", (queues, queues, *run.ends(), limit)))

    # what other shards need of this one

    def promise(self, rows: Sequence[PromiseRow]) -> None:
        self._exactly(
            "promise", [(to_shard, queues, *run, answered) for to_shard, queues, run, answered in rows]
        )

    def promises(self) -> list[PromiseRow]:
        rows = self._all("promises")
        return [
            PromiseRow(to_shard, queues, IdRun(first, length), answered)
            for to_shard, queues, first, length, answered in rows
        ]

    def forget_promises(self, rows: Iterable[PromiseRow]) -> None:
        self._many("forget_promise", [(to_shard, queues, *run) for to_shard, queues, run, _ in rows])
