"""A map whose keys or tenants alternate stays one array, and each of its tasks takes the turn of its own lane."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.domain.tenants import NO_TERMS
from tq.master.limits.limits import NamedLimits
from tq.master.tasks.mixed import Mixture
from tq.master.tasks.route import LaneKey, Queue, Route, Tenant
from tq.master.tasks.routes import Routes

from tests.sampling import sampled

from ..conftest import Bench
from ..in_limits import finish, granted, leased
from ..new_store import NewStore

ONE: Any = {"name": "one", "max_running": 1}
PAYLOAD = b"\x92\x90\x80"


def submit(bench: Bench, keys: str, *, tenants: str = "", limit: Any = ONE, **options: Any) -> list[bytes]:
    """One map, of a task for each letter."""
    columns: dict[str, Any] = {}
    if keys:
        columns["limits"] = [[limit, coded(keys)]]
    if tenants:
        columns["tenant"] = coded(tenants)
    tasks = len(keys or tenants)
    first = int.from_bytes(new_ids(), "big") & ~0xFFFF
    nothing = (None, None, None, None, None)
    run = [first.to_bytes(16, "big"), [PAYLOAD] * tasks]
    assert (
        bench.client().call("get_task_queue/q", "submit", "m:f", options, [run], *nothing, columns) == tasks
    )
    return [(first + place).to_bytes(16, "big") for place in range(tasks)]


def coded(letters: str) -> list[Any]:
    different = sorted(set(letters))
    return [different, [different.index(one) for one in letters]]


def rows(bench: Bench) -> dict[str, int]:
    """How many rows the store has."""
    run = bench.engine.store._run  # type: ignore[attr-defined]
    return {name: run(statement)[0][0] for name, statement in COUNTS.items()}


COUNTS = {
    "arrays": "SELECT count(*) FROM arrays",
    "slices": "SELECT count(*) FROM slices",
    "tasks": "SELECT count(*) FROM tasks",
}


def states(bench: Bench, ids: list[bytes]) -> list[StateNumber]:
    found = {one.id: StateNumber(one.state) for one in bench.engine.store.find(ids)}
    return [found[id] for id in ids]


def shares(bench: Bench) -> dict[str, tuple[int, int]]:
    """Of each key: ready, leased."""
    routes = list(bench.engine.part(Routes))
    return {
        one.key.limits[0][1] if one.key.limits else one.key.tenant: (one.share.ready, one.share.running)
        for one in routes
        if one.share is not None
    }


def again(bench: Bench) -> Bench:
    """A master that starts with the same store."""
    return Bench(bench.engine.store)  # type: ignore[arg-type]


def test_a_map_with_alternating_keys_is_one_array_and_one_slice(bench: Bench) -> None:
    submit(bench, "abc" * 100)
    assert rows(bench) == {"arrays": 1, "slices": 1, "tasks": 0}
    assert shares(bench) == {"a": (100, 0), "b": (100, 0), "c": (100, 0)}


def test_of_each_key_as_many_run_as_its_limit_allows_and_the_first_ones_first(bench: Bench) -> None:
    ids = submit(bench, "aabacb")
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert given == [ids[0], ids[2], ids[4]]
    assert granted(worker, 9)[1] == []
    finish(worker, lease, given[:1])
    assert granted(worker, 9)[1] == [ids[1]]
    assert shares(bench) == {"a": (1, 1), "b": (1, 1), "c": (0, 1)}


def test_what_comes_later_and_is_more_urgent_goes_first(bench: Bench) -> None:
    several: Any = {"name": "several", "max_running": 50}
    first, second = (submit(bench, "ab" * 3, limit=several) for _ in range(2))
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 2) == first[:2], "the places of both lanes are known from here on"
    third = submit(bench, "ab" * 3, limit=several)
    urgent = submit(bench, "bab", limit=several, priority=5)
    assert leased(worker, 5) == urgent + first[2:4]
    assert leased(worker, 30) == first[4:] + second + third


def test_neighbours_with_room_are_leased_together(bench: Bench) -> None:
    ids = submit(bench, "abcdefgh" * 2)
    worker = bench.worker("m:f", slots=99)
    _, given = granted(worker, 99)
    assert given == ids[:8]
    assert rows(bench) == {"arrays": 1, "slices": 2, "tasks": 0}


def test_tenants_take_turns_inside_one_array(bench: Bench) -> None:
    ids = submit(bench, "", tenants="x" * 50 + "y" * 50)
    worker = bench.worker("m:f", slots=4)
    assert sorted(granted(worker, 4)[1]) == [*ids[:2], *ids[50:52]]


def test_a_map_goes_before_and_behind_others_by_its_priority(bench: Bench) -> None:
    low = submit(bench, "abab", priority=-1)
    high = submit(bench, "abab", priority=1)
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert given == high[:2]
    finish(worker, lease, given)
    lease, given = granted(worker, 9)
    assert given == high[2:]
    finish(worker, lease, given)
    assert granted(worker, 9)[1] == low[:2]


def test_a_task_that_is_tried_again_waits_for_its_own_key(bench: Bench) -> None:
    ids = submit(bench, "aab", retries=1, backoff=0)
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert given == [ids[0], ids[2]]
    finish(worker, lease, ids[:1], OutcomeNumber.ERROR)
    bench.advance(2)
    bench.step()
    assert shares(bench)["a"] == (2, 0)
    assert granted(worker, 9)[1] == ids[:1]  # it was accepted first


def test_what_a_worker_gives_back_is_ready_in_its_lane_again(bench: Bench) -> None:
    ids = submit(bench, "abc")
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    assert shares(bench) == {"a": (0, 1), "b": (0, 1), "c": (0, 1)}
    worker.call("get_dispatcher", "release", [[id, 1, lease] for id in given])
    bench.step()
    assert shares(bench) == {"a": (1, 0), "b": (1, 0), "c": (1, 0)}
    assert granted(worker, 9)[1] == ids


def test_scheduled_tasks_are_ready_in_their_lanes_when_their_time_has_come(bench: Bench) -> None:
    ids = submit(bench, "abab", delay=5.0)
    assert shares(bench) == {"a": (0, 0), "b": (0, 0)}
    bench.advance(6)
    bench.step()
    assert shares(bench) == {"a": (2, 0), "b": (2, 0)}
    assert leased(bench.worker("m:f", slots=9), 9) == ids[:2]


def test_tasks_that_expire_leave_their_lanes(bench: Bench) -> None:
    ids = submit(bench, "abab", expires=5.0)
    granted(bench.worker("m:f", slots=9), 9)
    bench.advance(6)
    bench.step()
    assert states(bench, ids)[2:] == [StateNumber.EXPIRED] * 2
    assert shares(bench) == {"a": (0, 1), "b": (0, 1)}


def test_a_master_that_starts_again_knows_what_is_ready_and_what_runs(bench: Bench) -> None:
    submit(bench, "aabbc" * 3)
    submit(bench, "xyx", delay=100.0)
    granted(bench.worker("m:f", slots=9), 9)
    before = shares(bench)
    assert before == {"a": (5, 1), "b": (5, 1), "c": (2, 1), "x": (0, 0), "y": (0, 0)}
    after = again(bench)
    assert shares(after) == before
    permits = after.engine.part(Routes).lanes.held.permits
    assert permits.state("one", "a", after.engine.now.steady).running == 1
    assert leased(after.worker("m:f", slots=9), 9) == []


def test_lanes_and_arrays_are_forgotten_when_all_tasks_have_ended(bench: Bench) -> None:
    ids = submit(bench, "abab")
    worker = bench.worker("m:f", slots=9)
    for _ in range(2):
        finish(worker, *granted(worker, 9))
    assert states(bench, ids) == [StateNumber.SUCCEEDED] * 4
    bench.step()
    bench.step()
    assert shares(bench) == {}
    keys = {one.key for one in bench.engine.part(Routes)}
    assert keys == {LaneKey(), LaneKey(is_mixed=True)}
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"states": [int(StateNumber.SUCCEEDED)]})
    bench.step()
    bench.step()
    assert {one.key for one in bench.engine.part(Routes)} == {LaneKey()}
    assert rows(bench) == {"arrays": 0, "slices": 0, "tasks": 0}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_task_that_an_operator_has_done_again_is_in_its_lane(bench: Bench, restarts: bool) -> None:
    ids = submit(bench, "ab")
    worker = bench.worker("m:f", slots=9)
    lease, given = granted(worker, 9)
    finish(worker, lease, given, OutcomeNumber.ERROR)
    bench.step()
    bench.step()
    assert shares(bench) == {}
    if restarts:
        bench = again(bench)
        worker = bench.worker("m:f", slots=9)
    bench.client().call("get_tasks", "retry", ids[1:])
    assert shares(bench) == {"a": (0, 0), "b": (1, 0)}
    assert granted(worker, 9)[1] == ids[1:]


def test_the_same_map_twice_is_stored_once(bench: Bench) -> None:
    ids = submit(bench, "abab")
    nothing = (None, None, None, None, None)
    said = {"limits": [[ONE, coded("abab")]]}
    again = [ids[0], [PAYLOAD] * 4]
    assert bench.client().call("get_task_queue/q", "submit", "m:f", {}, [again], *nothing, said) == 0
    longer, said = [ids[0], [PAYLOAD] * 6], {"limits": [[ONE, coded("ababca")]]}
    assert bench.client().call("get_task_queue/q", "submit", "m:f", {}, [longer], *nothing, said) == 2
    assert shares(bench) == {"a": (3, 0), "b": (2, 0), "c": (1, 0)}


def test_limits_show_the_tasks_of_maps_and_are_kept_as_long_as_one_has_not_ended(bench: Bench) -> None:
    submit(bench, "aab")
    granted(bench.worker("m:f", slots=9), 9)
    usage = bench.engine.part(NamedLimits).usage
    assert usage.totals("one") == (2, 2, 1)
    assert [tuple(one)[:3] for one in usage.keys("one", 9, bench.engine.now)] == [
        ("a", 1, 1),
        ("b", 1, 0),
    ]
    assert usage.unfinished("one") > 0


def test_a_map_is_one_line_of_a_listing(bench: Bench) -> None:
    submit(bench, "abc" * 100)
    finish(worker := bench.worker("m:f", slots=9), *granted(worker, 9))
    answer = bench.client().call("get_tasks", "lines", {})
    [row] = answer["rows"]
    assert (row["tasks"], row["states"]) == (300, [[0, 297], [int(StateNumber.SUCCEEDED), 3]])


def test_why_says_which_key_holds_a_task_of_a_map_back(bench: Bench) -> None:
    ids = submit(bench, "aab")
    granted(bench.worker("m:f", slots=9), 9)
    words = bench.client().call("get_tasks", "why", ids[1])["why"]
    assert "the limit one for a holds it back: 1 of at most 1 run" in words


def test_a_part_of_a_mixture_keeps_no_lanes_but_its_own() -> None:
    lanes = [
        Route(number, Queue("q"), "m:f", Tenant("", 0, NO_TERMS), LaneKey(str(number))) for number in range(3)
    ]
    part = Mixture(lanes, bytes([0, 1, 2, 1, 2])).part(2, 5).own()
    assert [part.lanes[code].number for code in part.codes] == [2, 1, 2]
    assert len(part.lanes) == 2


class Side:
    """One of two masters to which the same tasks are submitted."""

    def __init__(self, gap: int) -> None:
        """``gap``: from the id of one task to that of the next; only consecutive ids make an array."""
        self.bench, self._gap = Bench(NewStore()), gap
        self.ids: list[bytes] = []
        self._held: dict[bytes, tuple[bytes, int]] = {}
        self._worker = self.bench.worker("m:f", slots=9)

    def submit(self, keys: str, tenants: str, priority: int) -> None:
        limits = [
            [{"name": "two", "max_running": 2}, coded(keys)],
            [{"name": "rate", "rate": "5/s", "burst": 3}, ""],
        ]
        first = int.from_bytes(new_ids(), "big") & ~0xFFFF
        ids = [(first + self._gap * place).to_bytes(16, "big") for place in range(len(keys))]
        said, nothing = {"limits": limits, "tenant": coded(tenants)}, (None,) * 5
        options = {"retries": 1, "backoff": 1.0, "priority": priority}
        self.bench.client().call(
            "get_task_queue/q", "submit", "m:f", options, [[id, PAYLOAD] for id in ids], *nothing, said
        )
        self.ids += ids

    def lease(self, want: int) -> list[int]:
        lease, given = granted(self._worker, want)
        for found in self.bench.engine.store.find(given):
            self._held[found.id] = lease, found.attempt
        return sorted(map(self.ids.index, given))

    def end(self, place: int, outcome: OutcomeNumber) -> None:
        id = self.ids[place]
        lease, attempt = self._held.pop(id)
        body = b"\xc0" if outcome == OutcomeNumber.SUCCESS else b"\x80"
        row = [id, attempt, lease, int(outcome), body, 0.0, 0.0, None]
        self._worker.call("get_dispatcher", "finish", [row])

    def give_back(self, place: int) -> None:
        lease, attempt = self._held.pop(self.ids[place])
        self._worker.call("get_dispatcher", "release", [[self.ids[place], attempt, lease]])

    def ask(self, method: str, place: int) -> None:
        self.bench.client().call("get_tasks", method, [self.ids[place]])
        if method == "cancel" and self.ids[place] in self._held:
            self.end(place, OutcomeNumber.CANCELLED)

    @property
    def seen(self) -> tuple[object, ...]:
        usage = self.bench.engine.part(NamedLimits).usage
        named = [usage.totals(name) for name in ("two", "rate")]
        return states(self.bench, self.ids), named


@pytest.mark.parametrize("seed", sampled(range(8), range(3)))
def test_a_map_goes_as_the_same_tasks_by_themselves_do(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    sides = [Side(1), Side(2)]
    submitted, running = 0, set[int]()
    for _ in range(120):
        what = random.choice(
            ("submit", "lease", "lease", "lease", "end", "end", "back", "cancel", "retry", "time")
        )
        if what == "submit":
            tasks, priority = random.randint(1, 30), random.choice((0, 0, 1))
            keys = "".join(random.choice("abcd") for _ in range(tasks))
            tenants = "".join(random.choice("xy") for _ in range(tasks))
            for side in sides:
                side.submit(keys, tenants, priority)
            submitted += tasks
        elif what == "lease":
            want = random.randint(1, 9)
            one, other = (side.lease(want) for side in sides)
            assert one == other
            running.update(one)
        elif what == "time":
            for side in sides:
                side.bench.advance(2)
                side.bench.step()
        elif what in ("end", "back") and running:
            place = random.choice(sorted(running))
            running.remove(place)
            outcome = random.choice((OutcomeNumber.SUCCESS, OutcomeNumber.SUCCESS, OutcomeNumber.ERROR))
            for side in sides:
                side.end(place, outcome) if what == "end" else side.give_back(place)
        elif what in ("cancel", "retry") and submitted:
            place = random.randrange(submitted)
            for side in sides:
                side.ask(what, place)
            running.discard(place) if what == "cancel" else None
        assert sides[0].seen == sides[1].seen
    assert rows(sides[0].bench)["tasks"] < rows(sides[1].bench)["tasks"]


def test_a_strike_on_a_key_holds_its_tasks_of_a_map_and_no_others(bench: Bench) -> None:
    ids = submit(bench, "abab", limit={"name": "all", "max_running": 9})
    admin = bench.client(role=Role.ADMIN)
    admin.call("get_strikes", "add", "limit.all=b", "", None)
    worker = bench.worker("m:f", slots=9)
    assert granted(worker, 9)[1] == [ids[0], ids[2]]
    assert "strike 1 on limit.all=b holds it back" in admin.call("get_tasks", "why", ids[1])["why"]
    admin.call("get_strikes", "remove", 1)
    bench.step()
    assert granted(worker, 9)[1] == [ids[1], ids[3]]


def test_a_queue_whose_order_changes_keeps_the_limits_of_mixed_arrays(bench: Bench) -> None:
    admin, worker = bench.client(role=Role.ADMIN), bench.worker("m:f", slots=9)
    admin.call("get_queues", "set", "q", None, None, 60.0)
    ids = submit(bench, "abababab")
    bench.advance(61)  # a period begins
    assert leased(worker, 9) == ids[:2]
    assert shares(bench) == {"a": (3, 1), "b": (3, 1)}


@pytest.mark.parametrize("kind", ["the newest first", "deadlines"])
def test_tasks_beside_those_of_a_map_keep_their_own_order(bench: Bench, kind: str) -> None:
    limit, deadlines = {"name": "all", "max_running": 9}, (30, 20, 10)
    if kind == "the newest first":
        bench.client(role=Role.ADMIN).call("get_queues", "set", "q", None, "lifo")
    others = [{} if kind == "the newest first" else {"deadline": one} for one in deadlines]
    first = [submit(bench, "a", limit=limit, **more)[0] for more in others]
    submit(bench, "ab", limit=limit, **others[0])  # their lane has a task of a map from now on
    worker = bench.worker("m:f", slots=1)
    assert [granted(worker, 1)[1] for _ in first] == [[one] for one in reversed(first)]
