"""Tasks of arrays answer as tasks with rows of their own do: the same is done to both, and both are asked the same."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any, Final

import pytest
from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.store.interface.queries import TaskFilter
from tq.master.store.interface.retention import Purged
from tq.master.store.interface.slices import LeasedSlice, SucceededSlice
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.interface.tasks import (
    EndedAttempt,
    Expired,
    Leased,
    NamedTasks,
    NewArray,
    NewTasks,
    Promoted,
    Returned,
    Want,
)
from tq.master.store.sqlite.store import SqliteStore

from tests.sampling import sampled

from ..tasks import NOW, QUEUE, TASK, as_array, as_rows, window

SIZES: Final = (1, 2, 3, 10, 40)
FIRST: Final = b"\x01" + bytes(15)
READY, SCHEDULED, RUNNING, SUCCEEDED, FAILED, CANCELLED, EXPIRED = (
    StateNumber.READY,
    StateNumber.SCHEDULED,
    StateNumber.RUNNING,
    StateNumber.SUCCEEDED,
    StateNumber.FAILED,
    StateNumber.CANCELLED,
    StateNumber.EXPIRED,
)


def group(seq: int, size: int, route: int, **fields: Any) -> NewTasks | NewArray:
    tasks = [
        (seq + place, id_behind(FIRST, seq + place), b"payload %d" % (seq + place)) for place in range(size)
    ]
    shared = {"state": int(READY), "created": NOW + seq, **fields}
    alone = NewTasks(route=route, tasks=tasks, **shared)
    return as_array(alone, tasks) if size > 1 else alone


class Both:
    """A store with arrays and one with rows, to which the same is done."""

    def __init__(self, arrays: Store, rows: Store, random: Random) -> None:
        self.stores = arrays, rows
        self.random = random
        self.now, self.seq, self.leases = NOW, 1, 0
        self.leased: dict[int, tuple[int, bytes]] = {}  # by number: attempt and lease
        for store in self.stores:
            store.begin()
            self.routes = [store.add_route(QUEUE, TASK), store.add_route("other", "m:g")]
            self.worker = store.put_worker(b"n" * 16, "host", 1, NOW)

    def each(self, act: Callable[[Store], Any]) -> Any:
        one, other = (act(store) for store in self.stores)
        assert one == other
        return one

    def submit(self) -> None:
        size, random = random_size(self.random), self.random
        fields: dict[str, Any] = {
            "priority": random.choice((0, 0, 0, 5, -5)),
            "timeout": random.choice((None, 2.5)),
            "ttl": random.choice((None, None, 1, 6)),
        }
        kind = random.random()
        if kind < 0.2:
            fields |= {"state": int(SCHEDULED), "due": self.now + random.randrange(5)}
        elif kind < 0.3:
            fields |= {"state": int(SCHEDULED), "at": self.now + random.randrange(5)}
        if random.random() < 0.2:
            fields["expires"] = self.now + random.randrange(1, 8)
        new = group(self.seq, size, random.choice(self.routes), **fields)
        self.seq += size
        arrays, rows = self.stores
        assert arrays.insert([new])
        assert rows.insert([as_rows(new)])

    def lease(self) -> None:
        routes = self.random.choice((self.routes[:1], self.routes[1:], self.routes))
        wants = []
        for _ in range(self.random.choice((1, 1, 2, 5))):
            self.leases += 1
            tasks = self.random.randrange(1, 30)
            wants.append(Want(tasks, self.leases.to_bytes(16, "big"), self.worker))
        bytes_max = self.random.choice((None, 100, 1_000)) if len(wants) == 1 else None

        def given(store: Store) -> list[list[tuple[Any, ...]]]:
            if bytes_max is None:
                return [as_tasks(rows) for rows in store.lease_each(routes, wants, self.now)]
            [want] = wants
            return [as_tasks(store.lease(routes, want.tasks, bytes_max, want.lease, want.worker, self.now))]

        for want, tasks in zip(wants, self.each(given), strict=True):
            self.leased.update((task[1], (task[4], want.lease)) for task in tasks)

    def lease_named(self) -> None:
        """Ready tasks by their numbers, as of two lanes that the stores do not know."""
        rows = self.stores[1]
        ready = [seq for route in self.routes for seq, _, state in rows.waiting_in(route) if state == READY]
        chosen = [seq for seq in sorted(ready) if self.random.random() < 0.7]
        briefs = [(seq, brief.priority) for seq in chosen if (brief := rows.brief(seq)) is not None]
        if not briefs:
            return
        self.leases += 1
        want = Want(self.random.randrange(1, 30), self.leases.to_bytes(16, "big"), self.worker)
        rooms = {7_000: self.random.randrange(1, 30), 7_001: 9}
        named = [one for lane in rooms for one in in_place(briefs, lane, rooms[lane])]
        bytes_max = self.random.choice((None, 100, 1_000))
        shared = want.lease, want.worker, self.now, rooms, None, named

        def given(store: Store) -> list[tuple[Any, ...]]:
            return as_tasks(store.lease([], want.tasks, bytes_max, *shared))

        self.leased.update((task[1], (task[4], want.lease)) for task in self.each(given))

    def some(self) -> list[int]:
        """Some of the leased tasks, mostly neighbours."""
        seqs = sorted(self.leased)
        if not seqs:
            return []
        start = self.random.randrange(len(seqs))
        found = seqs[start : start + random_size(self.random)]
        return [seq for seq in found if self.random.random() < 0.9]

    def succeed(self) -> None:
        arrays, rows = self.stores
        mine = [(seq, *self.leased.pop(seq)) for seq in self.some()]
        result = [b"result %d" % seq if seq % 3 else None for seq, _, _ in mine]
        plain = [
            (body, self.now - seq % 7 * 1000, self.now, seq, attempt, lease)
            for body, (seq, attempt, lease) in zip(result, mine, strict=True)
        ]
        rows.succeed(plain)
        in_slices = {seq for seq, _, _ in mine if arrays.slices.at(seq) is not None}  # type: ignore[attr-defined]
        arrays.succeed([row for row in plain if row[3] not in in_slices])
        runs: list[SucceededSlice] = []
        for body, (seq, attempt, lease) in zip(result, mine, strict=True):
            if seq not in in_slices:
                continue
            last = runs[-1] if runs else None
            same = last is not None and last.stop == seq and (last.attempt, last.lease) == (attempt, lease)
            if last is not None and same and arrays.slices.at(seq) == arrays.slices.at(last.seq):  # type: ignore[attr-defined]
                last.results.append(body)
                last.seconds.append(seq % 7)
                runs[-1] = last._replace(stop=seq + 1)
            else:
                runs.append(SucceededSlice(seq, seq + 1, attempt, lease, self.now, [seq % 7], [body]))
        arrays.succeed_slices([row._replace(leased=self.said_of(row)) for row in runs])

    def said_of(self, row: SucceededSlice) -> tuple[int, int] | None:
        """Where the slice begins and ends that some tasks are leased in, as the caller of the store knows it: or does not, or is
        wrong about it, since another run of the same slice ends before this one."""
        one = self.stores[0].slices.at(row.seq)  # type: ignore[attr-defined]
        return self.random.choice(((one.seq, one.stop), (one.seq, one.stop), (row.seq, row.stop), None))

    def give_back(self) -> None:
        mine = [
            Returned(int(CANCELLED), self.now, seq, *self.leased.pop(seq))
            if self.random.random() < 0.1
            else Returned(int(READY), None, seq, *self.leased.pop(seq))
            for seq in self.some()
        ]
        self.each(lambda store: store.return_unstarted(mine))

    def fail(self) -> None:
        states = self.random.choice(((READY, None), (SCHEDULED, self.now + 2), (FAILED, None)))
        ended = [
            EndedAttempt(
                seq=seq,
                attempt=attempt,
                number=attempt,
                lease=lease,
                worker=self.worker,
                outcome=int(OutcomeNumber.ERROR),
                started=self.now,
                ended=self.now,
                body=b"failure",
                state=int(states[0]),
                due=states[1],
                failures=1,
                crashes=0,
                finished=self.now if states[0] == FAILED else None,
            )
            for seq in self.some()
            for attempt, lease in [self.leased.pop(seq)]
        ]
        self.each(lambda store: store.end_attempts(ended))

    def cancel(self) -> None:
        rows = self.each(lambda store: window(store, self.seq, 50))
        waiting = [row.seq for row in rows if row.state in (READY, SCHEDULED)]
        if waiting:
            start = self.random.randrange(len(waiting))
            seqs = [
                seq for seq in waiting[start : start + random_size(self.random)] if self.random.random() < 0.9
            ]
            self.each(lambda store: store.cancel_waiting(seqs, self.now))
        if self.leased:
            running = self.random.choice(sorted(self.leased))
            self.each(lambda store: store.request_cancel(running))

    def revive(self) -> None:
        rows = self.each(lambda store: window(store, self.seq, 200))
        for row in rows:
            if row.state in (FAILED, CANCELLED, EXPIRED) and self.random.random() < 0.3:
                self.each(lambda store, seq=row.seq: store.revive(seq))

    def pass_time(self) -> None:
        self.now += self.random.randrange(4)
        for verb in ("promote", "promote_at"):
            self.each(lambda store, verb=verb: promoted(getattr(store, verb)(self.now, 1_000)))
        self.each(lambda store: expired(store.expire(self.now, 1_000)))

    def purge(self) -> None:
        limit = self.random.randrange(1, 20)
        finished = [row.seq for row in window(self.stores[1], self.seq, 1_000) if row.state >= SUCCEEDED]
        if self.random.random() < 0.5 and finished:
            seqs = sorted(self.random.sample(finished, min(limit, len(finished))))
            self.each(lambda store: store.delete(seqs))
        elif self.random.random() < 0.2:
            self.each(lambda store: purged(store.purge(self.now - 2, 10_000, 2)))
        elif self.random.random() < 0.3:
            self.purge_surplus(limit)

    def purge_surplus(self, limit: int) -> None:
        """Of an array the oldest ones go as well, but none before half of them would; the same ones go from the rows."""
        arrays, rows = self.stores
        gone = sum(row.tasks for row in arrays.purge_surplus(limit, 0, 1_000))
        assert gone <= limit
        left = {row.seq for row in window(arrays, self.seq, 1_000)}
        seqs = [row.seq for row in window(rows, self.seq, 1_000) if row.seq not in left]
        assert len(seqs) == gone
        rows.delete(seqs)

    def compare(self) -> None:
        arrays, rows = self.stores
        ids = [id_behind(FIRST, seq) for seq in range(self.seq + 2)]
        self.each(lambda store: store.find(ids))
        self.each(lambda store: store.outcomes(ids))
        self.each(lambda store: [store.full(id) for id in ids])
        self.each(lambda store: window(store, self.seq, 10_000))
        self.each(lambda store: window(store, self.seq // 2, 7))
        self.each(lambda store: window(store, self.seq, 9, (FAILED, CANCELLED, EXPIRED)))
        self.each(lambda store: (store.next_due(), store.next_at(), store.next_expiry()))
        for route in self.routes:
            self.each(lambda store, route=route: store.oldest_ready(route))
            place = route, self.random.choice((0, 5, -5)), self.random.randrange(self.seq + 1), 10_000
            self.each(lambda store, place=place: store.count_ahead(*place).tasks)
        known = [row.seq for row in window(rows, self.seq, 10_000)]
        self.each(lambda store: [(store.payload(seq), store.brief(seq)) for seq in known])
        self.each(lambda store: store.facts(known))
        self.each(lambda store: store.created(known))
        begun = frozenset(seq for seq in self.leased if seq % 2)
        for states in (
            (),
            (READY,),
            (RUNNING,),
            (SUCCEEDED, FAILED),
            (SCHEDULED, CANCELLED),
            (FAILED, EXPIRED),
        ):
            what = TaskFilter(
                states=tuple(map(int, states)),
                begun=begun,
                queue=self.random.choice((None, QUEUE)),
                task=self.random.choice((None, "m:g")),
                since=self.random.choice((None, NOW + self.seq // 2)),
                before_seq=self.random.choice((None, self.seq // 2)),
            )
            self.each(lambda store, what=what: store.listing(what, 25))
        self.each(lambda store: store._db.execute("SELECT * FROM attempts").fetchall())  # type: ignore[attr-defined]
        picture = [store.load() for store in self.stores]
        assert sorted(picture[0].counts) == sorted(picture[1].counts)
        for store in self.stores:
            assert sorted(store.counts.read()) == sorted(store.counts.recount())
            assert store.counts.kept_bytes == sum(row.bytes for row in store.counts.recount())
        leased = {row.seq: (row.id, row.attempt, row.lease) for row in picture[1].running}
        also = {row.seq: (row.id, row.attempt, row.lease) for row in picture[0].running}
        for row in picture[0].slices:
            for seq in range(row.seq, row.stop):
                also[seq] = id_behind(row.id, seq - row.seq), row.attempt, row.lease
        assert leased == also
        assert {seq: lease[1:] for seq, lease in leased.items()} == self.leased
        check_slices(arrays)


def as_tasks(rows: Sequence[Leased | LeasedSlice]) -> list[tuple[Any, ...]]:
    """A row for each task."""
    tasks: list[tuple[Any, ...]] = []
    for row in rows:
        if isinstance(row, LeasedSlice):
            shared = row.route, row.attempt, row.returned, 0, row.timeout, row.origin, row.options
            tasks += [
                (row.priority, seq, id_behind(row.id, seq - row.seq), *shared, payload)
                for seq, payload in enumerate(row.payloads, row.seq)
            ]
        else:
            tasks.append(tuple(row))
    return tasks


def in_place(briefs: Sequence[tuple[int, int]], lane: int, room: int) -> list[NamedTasks]:
    """The first ones of a lane in their order. ``briefs``: number and priority."""
    mine = sorted((-priority, seq) for seq, priority in briefs if 7_000 + seq % 2 == lane)[:room]
    return [
        NamedTasks(lane, -rank, array("q", (seq for _, seq in some)))
        for rank, some in groupby(mine, key=itemgetter(0))
    ]


def random_size(random: Random) -> int:
    return random.choice(SIZES)


def promoted(rows: list[Promoted]) -> list[tuple[int, int]]:
    """A row for each task."""
    return sorted((seq, row.route) for row in rows for seq in range(row.seq, row.stop))


def expired(rows: list[Expired]) -> list[tuple[Any, ...]]:
    """A row for each task."""
    return sorted(
        (seq, id_behind(row.id, seq - row.seq), row.route, row.state, row.origin)
        for row in rows
        for seq in range(row.seq, row.stop)
    )


def purged(rows: list[Purged]) -> Counter[tuple[int, int]]:
    count = Counter[tuple[int, int]]()
    for row in rows:
        count[row.route, row.state] += row.tasks
    return count


def check_slices(store: Store) -> None:
    """Slices are disjoint, lie in their arrays, and no task of one has a row; no array is left without tasks."""
    db = store._db  # type: ignore[attr-defined]
    slices = db.execute("SELECT seq, stop, array FROM slices ORDER BY seq").fetchall()
    arrays = dict(db.execute("SELECT seq, stop FROM arrays").fetchall())
    behind = 0
    for seq, stop, number in slices:
        assert behind <= seq < stop
        assert number <= seq
        assert stop <= arrays[number]
        behind = stop
    alone = [seq for (seq,) in db.execute("SELECT seq FROM tasks")]
    assert not [seq for seq in alone for first, stop, _ in slices if first <= seq < stop]
    used = {array for _, _, array in slices} | {
        array for array, stop in arrays.items() if any(array <= seq < stop for seq in alone)
    }
    assert used == arrays.keys()


@pytest.mark.parametrize("seed", sampled(range(12), range(4)))
def test_tasks_of_arrays_answer_as_tasks_with_rows_do(seed: int) -> None:
    random = Random(seed)  # noqa: S311  the same story in each run
    rows = SqliteStore(None, "memory")
    arrays = SqliteStore(None, "memory")
    both = Both(arrays, rows, random)
    acts = [both.submit, both.lease, both.succeed, both.give_back, both.fail, both.cancel, both.revive]
    acts += [both.pass_time, both.purge, both.lease, both.lease_named, both.succeed, both.submit]
    both.submit()
    for step in range(120):
        random.choice(acts)()
        if step % 10 == 9:
            both.compare()
    rows.close()
    arrays.close()


def test_leases_and_ends_of_many_workers_cost_about_one_statement_a_task() -> None:
    store = SqliteStore(None, "memory")
    store.begin()
    route, calls, each = store.add_route(QUEUE, TASK), 100, 2
    assert store.insert([group(1, calls * each, route)])
    statements = Counter[str]()
    store._db.set_trace_callback(lambda sql: statements.update([sql]))
    wants = [Want(each, place.to_bytes(16, "big"), 1) for place in range(calls)]
    given = store.lease_each([route], wants, NOW)
    assert statements.total() < calls + 10
    statements.clear()
    for want, [row] in zip(wants, given, strict=True):
        assert isinstance(row, LeasedSlice)
        one = SucceededSlice(row.seq, row.seq + 1, 1, want.lease, NOW, [0.0], [b""], (row.seq, row.stop))
        other = one._replace(seq=row.seq + 1, stop=row.stop, leased=(row.seq + 1, row.stop))
        store.succeed_slices([one])
        store.succeed_slices([other])
    assert statements.total() <= calls * (each + 1), "the first of two takes two, the last one takes one"
    check_slices(store)
    store.close()


def failed(seq: int, lease: bytes = b"L" * 16) -> EndedAttempt:
    return EndedAttempt(
        seq=seq,
        attempt=1,
        number=1,
        lease=lease,
        worker=1,
        outcome=int(OutcomeNumber.ERROR),
        started=NOW,
        ended=NOW,
        body=b"failure",
        state=int(READY),
        due=None,
        failures=1,
        crashes=0,
        finished=None,
    )


def test_failures_of_many_tasks_of_a_slice_and_their_next_leases_cost_two_statements_each() -> None:
    store = SqliteStore(None, "memory")
    store.begin()
    route, tasks = store.add_route(QUEUE, TASK), 100
    assert store.insert([group(1, 2 * tasks, route)])
    store.lease([route], tasks, None, b"L" * 16, 1, NOW)
    statements = Counter[str]()
    store._db.set_trace_callback(lambda sql: statements.update([sql]))
    assert {one.options for one in store.facts(range(1, tasks + 1)).values()} == {None}
    store.end_attempts([failed(seq) for seq in range(1, tasks + 1)])
    assert statements.total() < 2 * tasks + 15, "a row for the task, and one for the attempt"
    statements.clear()
    assert len(store.lease([route], tasks, None, b"M" * 16, 1, NOW)) == tasks
    assert statements.total() < 5, "all of them are leased by one"
    check_slices(store)
    store.close()


def test_a_failure_under_another_lease_ends_nothing_of_a_slice() -> None:
    store = SqliteStore(None, "memory")
    store.begin()
    route = store.add_route(QUEUE, TASK)
    assert store.insert([group(1, 3, route)])
    store.lease([route], 3, None, b"L" * 16, 1, NOW)
    for stale in (
        failed(2, b"M" * 16),
        failed(2)._replace(attempt=2),
        failed(2)._replace(state=int(RUNNING)),
    ):
        with pytest.raises(Inconsistent):
            store.end_attempts([stale])
    store.close()
