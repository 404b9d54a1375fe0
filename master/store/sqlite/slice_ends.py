"""How tasks of leased slices succeed: by three statements for each leased slice, however many parts of it have ended."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence

from ....common.wire.frames import pack
from ..interface.slices import SucceededSlice
from ..interface.store import Inconsistent
from .slice_groups import LeasedGroup, groups_of
from .slice_table import SUCCEEDED, SliceTable


class SliceEnds(SliceTable):
    """Part of ``SqliteSlices``."""

    def succeed(self, rows: Sequence[SucceededSlice]) -> None:
        for group in groups_of(rows):
            if len(group.rows) == 1 or not self._end_group(group):
                for row in group.rows:
                    self._end_alone(row)

    def _end_group(self, group: LeasedGroup) -> bool:
        """Parts of a leased slice have succeeded: three statements, however many there are. False: it is not so leased, and nothing was
        done."""
        group.sort()
        head, gaps = group.rows[0], group.gaps()
        slice = {"first": group.first, "end": group.end, "attempt": head.attempt, "lease": head.lease}
        packed = [pack(row.results) for row in group.rows]
        is_first = head.seq == group.first
        others, results = group.rows[is_first:], packed[is_first:]
        pieces, seconds, at = [], bytearray(), 1  # SQLite counts bytes from one
        for row, one in zip(others, results, strict=True):
            times = array("f", row.seconds).tobytes()
            pieces.append((row.seq, row.stop, len(seconds) + 1, len(times), at, len(one)))
            seconds += times
            at += len(one)
        if others:
            values = {"pieces": json.dumps(pieces), "seconds": bytes(seconds), "results": b"".join(results)}
            self._all("succeed_pieces", {**slice, **values, "finished": head.finished})
        kept = gaps if is_first else gaps[1:]  # else the first gap stands in the row of the whole
        if kept:
            self._all("leased_pieces", {**slice, "pieces": json.dumps(kept)})
        if is_first:
            first = {"seconds": array("f", head.seconds).tobytes(), "results": packed[0]}
            found = self._all(
                "succeed_slice", {**slice, **first, "stop": head.stop, "finished": head.finished}
            )
        else:
            found = self._all("shorten_leased", {**slice, "stop": head.seq})
        # Nothing was done then: the statements above copy from that row by the same conditions, and have found none either.
        if not found:
            return False
        [(route, number)] = found
        size = sum(self.share(number, row.seq, row.stop) for row in group.rows) + sum(map(len, packed))
        self._counts.add(route, SUCCEEDED, sum(row.stop - row.seq for row in group.rows), size)
        return True

    def _end_alone(self, row: SucceededSlice) -> None:
        results = pack(row.results)
        found = self._end_part(row, *row.leased, results) if row.leased is not None else None
        # What memory says of the lease spares a look, but its slice may have been cut meanwhile: read it, try once more.
        if found is None:
            one = self.at(row.seq)
            found = None if one is None else self._end_part(row, one.seq, one.stop, results)
        # Store and memory disagree: better no transaction than a result given to another task.
        if found is None:
            raise Inconsistent(f"succeed_slices: tasks {row.seq} to {row.stop} are not leased as expected")
        route, number = found
        # Arguments count, too: what is kept of ended tasks is bounded by its bytes in all.
        size = self.share(number, row.seq, row.stop) + len(results)
        self._counts.add(route, SUCCEEDED, row.stop - row.seq, size)

    def _end_part(self, row: SucceededSlice, first: int, end: int, results: bytes) -> tuple[int, int] | None:
        """Tasks of the leased slice from ``first`` to ``end`` have succeeded; its route and array. None: it is not so leased,
        and nothing was done."""
        if row.seq < first or end < row.stop:
            return None
        slice = {"first": first, "end": end, "attempt": row.attempt, "lease": row.lease}
        # The rest behind first: it is copied from the row that the next statement shortens.
        if row.stop < end and not self._all("leased_behind", {**slice, "stop": row.stop}):
            return None
        rows = self._all(
            "succeed_slice" if row.seq == first else "succeed_piece",
            {
                **slice,
                "seq": row.seq,
                "stop": row.stop,
                "finished": row.finished,
                "seconds": array("f", row.seconds).tobytes(),
                "results": results,
            },
        )
        if not rows:
            return None
        # The piece is a row of its own by now: the leased part in front of it gives up those numbers.
        if row.seq > first:
            self._exactly("leased_before", [(row.seq, first)])
        route, number = rows[0]
        return route, number
