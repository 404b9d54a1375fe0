"""The embedded store's lease of what is ready in some lanes: see ``interface.tasks.TaskStore.lease``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from ..interface.slices import LeasedSlice
from ..interface.tasks import LaneOrder, Leased, NamedTasks, Want
from .named_leases import Head, NamedHeads, place_of
from .ordered_leases import SqliteOrderedLeases, fitting_bytes
from .slice_leases import Piece
from .slice_table import ReadySlice

SLICES_LOOKED: Final = 8  # the first look for ready slices: mostly one of them has more tasks than are wanted


class _Calls:
    """Calls that are filled one after another."""

    def __init__(self, wants: Sequence[Want]) -> None:
        # Room left in the call at ``_at`` only: the others are still empty.
        self._wants, self._at, self._room = wants, 0, wants[0].tasks

    @property
    def are_full(self) -> bool:
        return self._at == len(self._wants)

    def take(self, tasks: int) -> tuple[int, int]:
        """The call that is next, by its place, and how many of these tasks it takes."""
        at, taken = self._at, min(tasks, self._room)
        self._room -= taken
        if not self._room:
            self._at += 1
            self._room = 0 if self.are_full else self._wants[self._at].tasks
        return at, taken


class SqliteLeases(SqliteOrderedLeases):
    """Part of ``SqliteTasks``."""

    def first_ready(self, route: int, order: LaneOrder | None = None) -> tuple[int, int] | None:
        self.settle()
        if order is not None:
            return self._first_in_order(route, order)
        first = min([*self._ready_rows(route, 1), *self._ready_slices(route, 1)], key=place_of, default=None)
        return None if first is None else (-first.rank, first.seq)

    def lease(
        self,
        routes: Sequence[int],
        limit: int,
        bytes_max: int | None,
        lease: bytes,
        worker: int,
        now: int,
        rooms: Mapping[int, int] = {},
        least: int | None = None,
        named: Sequence[NamedTasks] = (),
        orders: Mapping[int, LaneOrder] = {},
    ) -> list[Leased | LeasedSlice]:
        want = Want(limit, lease, worker)
        # Limits leave lanes little room: which tasks are next is then a choice per lane, not one order over all.
        if rooms:
            return self._lease_within(routes, rooms, want, bytes_max, now, least, named, orders)
        if bytes_max is None:
            return self.lease_each(routes, [want], now)[0]
        self.settle()
        heads = self._heads(routes, limit)
        if heads is not None:
            return self._lease_measured(heads, want, bytes_max, now)
        # Rows of one route are taken by one UPDATE, which sums up their bytes on its way.
        return self._lease_route(routes[0], want, now, bytes_max)

    def lease_each(
        self, routes: Sequence[int], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        self.settle()
        heads = self._heads(routes, sum(want.tasks for want in wants))
        if heads is not None:
            return self._lease_heads(heads, wants, now)
        return [self._lease_route(routes[0], want, now) for want in wants]

    def _heads(self, routes: Sequence[int], tasks: int) -> list[Head] | None:
        """The next so many tasks of these routes. None: they are rows of one route, which are leased without being looked at."""
        slices = [head for route in routes for head in self._ready_slices(route, tasks)]
        # Tasks that were submitted one by one: a single statement finds and leases them.
        if len(routes) == 1 and not slices:
            return None
        rows = chain.from_iterable(self._ready_rows(route, tasks) for route in routes)
        return sorted([*slices, *rows], key=place_of)

    def _lease_within(
        self,
        lanes: Sequence[int],
        rooms: Mapping[int, int],
        want: Want,
        bytes_max: int | None,
        now: int,
        least: int | None,
        named: Sequence[NamedTasks],
        orders: Mapping[int, LaneOrder],
    ) -> list[Leased | LeasedSlice]:
        """Of each lane at most as many as it has room for. ``lanes``: those in which something is that is not named."""
        self.settle()
        # The caller has named the first ones of each lane, as far as it has room.
        if not lanes and bytes_max is None:
            return list(self._lease_named(named, want, now))
        found = NamedHeads(self.slices, named)
        heads: list[Head] = []
        # A dict as an ordered set: a lane may have both, and its room is one.
        for lane in {**dict.fromkeys(lanes), **found.of_lane}:
            room = min(want.tasks, rooms.get(lane, want.tasks))
            # Named tasks compete with what else is ready in the lane, by the same order.
            first = list(found.of_lane.get(lane, ()))
            if lane in lanes and lane in orders:
                first += self._in_order(lane, orders[lane], room)
            elif lane in lanes:
                first += [*self._ready_slices(lane, room), *self._ready_rows(lane, room)]
            first.sort(key=place_of)
            heads += _first_tasks((one for one in first if least is None or -one.rank >= least), room)
        heads.sort(key=place_of)
        # Each lane gave up to the whole want: together they may be too many.
        cut = _first_tasks(heads, want.tasks)
        if orders:
            others, runs = found.apart(cut)
            leased = self._lease_in_order(others, want, bytes_max, now) if others else []
            if leased and bytes_max is not None:
                return leased  # the others with the next answer: how large they are was not measured
        else:
            others, runs = found.apart(cut if bytes_max is None else self._fitting(cut, bytes_max))
            leased = self._lease_heads(others, [want], now)[0]
        for one, of in runs.items():
            leased += self.slices.lease_runs(one, of, want, now)
        if not orders:
            leased.sort(key=lambda one: (-one.priority, one.seq))
        return leased

    def _ready_rows(self, lane: int, tasks: int) -> Iterable[Head]:
        rows = self._all("ready_heads", (lane, tasks))
        return (Head(-priority, seq, size, None) for priority, seq, size in rows)

    def _ready_slices(self, route: int, tasks: int) -> list[Head]:
        """Those with the next so many tasks of a route."""
        # A slice may have a single task, then as many slices as tasks are needed: only if the first look was too short.
        rows = self._all("ready_slices", (route, min(SLICES_LOOKED, tasks)))
        if len(rows) == SLICES_LOOKED and sum(stop - seq for _, seq, stop, _ in rows) < tasks:
            rows = self._all("ready_slices", (route, tasks))
        return [Head(-row[0], row[1], 0, ReadySlice(*row)) for row in rows]

    def _lease_route(
        self, route: int, want: Want, now: int, bytes_max: int | None = None
    ) -> list[Leased | LeasedSlice]:
        given = {"route": route, "limit": want.tasks, "lease": want.lease, "worker": want.worker, "now": now}
        statement = "lease_route" if bytes_max is None else "lease_route_measured"
        rows = self._all(statement, {**given, "bytes_max": bytes_max})
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING promises no order
        return list(map(Leased._make, rows))

    def _lease_heads(
        self, heads: Iterable[Head], wants: Sequence[Want], now: int
    ) -> list[list[Leased | LeasedSlice]]:
        """Fill one call after another."""
        given: list[list[Leased | LeasedSlice]] = [[] for _ in wants]
        rows: list[list[int]] = [[] for _ in wants]
        calls = _Calls(wants)
        for head in heads:
            if calls.are_full:
                break
            if head.slice is None:
                # Written together below: one UPDATE for all rows of a call.
                at, _ = calls.take(1)
                rows[at].append(head.seq)
                continue
            seq, whose, pieces = head.seq, list[int](), list[Piece]()
            while seq < head.slice.stop and not calls.are_full:
                at, tasks = calls.take(head.slice.stop - seq)
                whose.append(at)
                pieces.append(Piece(seq, seq + tasks, wants[at]))
                seq += tasks
            for at, leased in zip(whose, self.slices.lease(head.slice, pieces, now), strict=True):
                given[at].append(leased)
        for mine, seqs, want in zip(given, rows, wants, strict=True):
            if seqs:
                mine += self._lease_rows(seqs, want, now)
                # Slices were added at once, rows after them: back into one order.
                mine.sort(key=lambda one: (-one.priority, one.seq))
        return given

    def _lease_measured(
        self, heads: Iterable[Head], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        """The same for one call, of which the payloads together have at most so many bytes, unless it is one alone."""
        return self._lease_heads(self._fitting(_first_tasks(heads, want.tasks), bytes_max), [want], now)[0]

    def _fitting(self, heads: Iterable[Head], left: int) -> Iterator[Head]:
        """Those whose payloads together have at most so many bytes, unless it is one alone; of the last slice a part."""
        is_first = True
        for head in heads:
            slice = head.slice
            sizes: Iterable[int] = [head.bytes]
            tasks = 1
            if slice is not None:
                tasks, place = slice.stop - slice.seq, slice.seq - slice.array
                # Sizes of an array are only known unpacked; it is kept, for the lease that follows needs it, too.
                sizes = map(len, self.slices.payloads(slice.array)[place : place + tasks])
            fitting, left = fitting_bytes(sizes, left, alone=is_first)
            if fitting and slice is not None:
                head = head._replace(slice=slice._replace(stop=slice.seq + fitting))
            if fitting:
                yield head
            # Not the next smaller one: a big task would be passed over as long as small ones come.
            if fitting < tasks:
                return
            is_first = False


def _first_tasks(heads: Iterable[Head], tasks: int) -> Iterator[Head]:
    """The first so many tasks; of the last slice a part."""
    for head in heads:
        if tasks <= 0:
            return
        slice = head.slice
        if slice is not None and slice.stop - slice.seq > tasks:
            part = {"seq": slice.stop - tasks} if head.from_end else {"stop": slice.seq + tasks}
            head = head._replace(slice=slice._replace(**part))
        yield head
        tasks -= 1 if slice is None else slice.stop - slice.seq
