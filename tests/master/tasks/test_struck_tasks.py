"""Tasks that a strike holds back by their arguments and tags."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.limits import Limit
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.domain.strikes import facts_of, holds, parse_strike, with_tags
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import QuotaExceeded, StoreError
from tq.common.values.codec import encode
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.tasks import struck
from tq.master.tasks.route import Route
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer
from ..in_limits import declare, leased
from ..leased import each
from .test_array_tags import found
from .test_explain import why
from .test_lent_slots import lend, lent, submit

STRIKES, DISPATCHER, PAYLOAD = "get_strikes", "get_dispatcher", b"\x92\x90\x80"


def single(bench: Bench, to: str = "", *, task: str = "m:f", **options: Any) -> bytes:
    """One task, whose indexed argument is a tag."""
    if to:
        options["tags"] = {**options.get("tags", {}), "arg.to": to}
    id = new_ids()
    bench.client().call("get_task_queue/q", "submit", task, options, [[id, PAYLOAD]])
    return id


def mapped(bench: Bench, tos: Sequence[str], *, task: str = "m:f", **said: Any) -> list[bytes]:
    """A map with consecutive ids, whose indexed arguments are a column."""
    columns = {"index": {"arg.to": TextColumn.of(tos).to_wire()}, **said.pop("columns", {})}
    first = int.from_bytes(new_ids(), "big") & ~0xFFFF
    run, nothing = [first.to_bytes(16, "big"), [PAYLOAD] * len(tos)], (None,) * 5
    bench.client().call("get_task_queue/q", "submit", task, said, [run], *nothing, columns)
    return [(first + place).to_bytes(16, "big") for place in range(len(tos))]


def strike(bench: Bench, condition: str, seconds: float | None = None) -> None:
    """Made, and answered: by then nothing that it holds can start."""
    admin = bench.client(role=Role.ADMIN)
    call = admin.ask(STRIKES, "add", condition, "", seconds)
    while call not in admin.answers:
        bench.step()
    admin.answer(call)


def lift(bench: Bench, condition: str) -> None:
    bench.client(role=Role.ADMIN).call(STRIKES, "remove", condition)


def again(bench: Bench) -> Bench:
    """A master that starts with the same store."""
    return Bench(bench.engine.store, now=bench.now)  # type: ignore[arg-type]


def row_of(bench: Bench) -> dict[str, Any]:
    [row] = bench.client(role=Role.ADMIN).call(STRIKES, "list")
    return dict(row)


def all_of(worker: Peer) -> list[bytes]:
    """What is given to a worker that does not wait."""
    given = list[bytes]()
    while ids := _granted(worker, 99)[1]:
        given += ids
    return given


def rows(bench: Bench, table: str) -> int:
    return int(bench.engine.store._run(f"SELECT count(*) FROM {table}")[0][0])  # type: ignore[attr-defined]  # noqa: S608


def lanes(bench: Bench) -> list[Route]:
    return [one for one in bench.engine.part(Routes) if one.key.strikes]


def test_what_waits_and_what_comes_is_held_by_its_argument_and_nothing_else_is(bench: Bench) -> None:
    early, other, none = single(bench, "a.example"), single(bench, "b.example"), single(bench)
    strike(bench, "task=m:f arg.to=a.example")
    late, more = single(bench, "a.example"), single(bench, "b.example")
    worker = bench.worker("m:f", slots=9)
    assert all_of(worker) == [other, none, more]
    assert (row_of(bench)["waiting"], row_of(bench)["comparing"]) == (2, False)
    lift(bench, "task=m:f arg.to=a.example")
    assert all_of(worker) == [early, late]


def test_a_worker_that_waits_already_is_given_what_is_not_held(bench: Bench) -> None:
    worker = bench.worker("m:f", slots=9)
    strike(bench, "arg.to=*.example")
    assert leased(worker, 9) == []
    held = single(bench, "a.example")
    assert leased(worker, 9) == []
    assert leased(worker, 9) == [] != [single(bench, "a.test")]
    assert len(leased(worker, 9)) == 1
    lift(bench, "arg.to=*.example")
    assert leased(worker, 9) == [held]


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("arg.to=a", {"a"}),
        ("arg.to!=a", {"b", "ab", ""}),
        ("arg.to~a", {"a", "ab"}),
        ("arg.to in (a, b)", {"a", "b"}),
        ("has arg.to", {"a", "b", "ab"}),
        ("not has arg.to", {""}),
        ("queue=q and (arg.to=a or arg.to='?b')", {"a", "ab"}),
        ("queue=q or arg.to=a", {"a", "b", "ab", ""}),
        ("queue=other arg.to=a", set()),
        ("not (arg.to=a or arg.to=b)", {"ab", ""}),
    ],
)
def test_each_comparison_holds_the_same_single_tasks_and_tasks_of_a_map_before_and_after(
    bench: Bench, condition: str, held: set[str]
) -> None:
    tos = ["a", "b", "ab", ""]
    before = dict(zip([single(bench, to) for to in tos] + mapped(bench, tos), tos * 2, strict=True))
    strike(bench, condition)
    after = dict(zip([single(bench, to) for to in tos] + mapped(bench, tos), tos * 2, strict=True))
    worker = bench.worker("m:f", slots=99)
    of = {**before, **after}
    assert sorted(of[id] for id in all_of(worker)) == sorted(4 * [*(set(tos) - held)])
    assert row_of(bench)["waiting"] == 4 * len(held)


def test_a_tag_is_struck_as_an_argument_is(bench: Bench) -> None:
    held, other = single(bench, tags={"order": "4711"}), single(bench, tags={"order": "4712"})
    strike(bench, "tag.order=4711")
    worker = bench.worker("m:f", slots=9)
    assert all_of(worker) == [other]
    lift(bench, "tag.order=4711")
    assert all_of(worker) == [held]


def test_of_a_map_only_what_is_held_is_cut_out_of_its_array(bench: Bench) -> None:
    tos = ["b"] * 300 + ["a"] * 3 + ["b"] * 697
    ids = mapped(bench, tos)
    strike(bench, "arg.to=a")
    assert (rows(bench, "tasks"), rows(bench, "slices"), rows(bench, "arrays")) == (0, 3, 1)
    worker = bench.worker("m:f", slots=9)
    assert set(all_of(worker)) == set(ids) - set(ids[300:303])
    lift(bench, "arg.to=a")
    assert all_of(worker) == ids[300:303]


def test_what_a_strike_parts_is_one_run_for_who_watches_it(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    columns = {"index": {"arg.to": TextColumn.of(["a", "b"] * 50).to_wire()}}
    client, first = bench.client(), int.from_bytes(new_ids(), "big") & ~0xFFFF
    run = [first.to_bytes(16, "big"), [PAYLOAD] * 100]
    client.call("get_task_queue/q", "submit", "m:f", {}, [run], "stream", None, None, None, None, columns)
    assert client.session.account.held[Resource.WATCHED] == 100
    assert client.session.account.held[Resource.WATCHED_BLOCKS] == 1
    assert len(all_of(bench.worker("m:f", slots=9))) == 50


def test_what_is_delayed_retried_given_back_or_done_once_more_is_compared_when_it_is_ready(
    bench: Bench,
) -> None:
    worker, admin = bench.worker("m:f", slots=9), bench.client(role=Role.ADMIN)
    delayed, run_once = single(bench, "a", delay=30.0), single(bench, "a", retries=3, backoff=5.0)
    returned, failed = single(bench, "a"), single(bench, "a")
    lease, ids = _granted(worker)
    assert ids == [run_once, returned, failed]
    strike(bench, "arg.to=a")
    error = int(OutcomeNumber.ERROR)
    for id in (run_once, failed):
        worker.call(DISPATCHER, "finish", [[id, 1, lease, error, b"\x80", 0.0, 0.0, None]])
    worker.call(DISPATCHER, "release", [[returned, 1, lease]])
    assert admin.call("get_tasks", "retry", [failed]) == [[failed, 0]]
    bench.advance(60)
    assert all_of(worker) == []
    assert row_of(bench)["waiting"] == 4
    lift(bench, "arg.to=a")
    assert sorted(all_of(worker)) == sorted([delayed, run_once, returned, failed])


def _granted(worker: Peer, want: int = 9) -> tuple[bytes, list[bytes]]:
    lease, groups = worker.call(DISPATCHER, "lease", want, 0, False)
    return lease, [id for id, *_ in each(groups)]


def test_what_waits_for_other_tasks_is_compared_when_these_have_ended(bench: Bench) -> None:
    worker, client = bench.worker("m:f", slots=9), bench.client()
    needed = submit(client)
    held, other = (submit(client, needs=needed, tags={"arg.to": to}) for to in "ab")
    strike(bench, "arg.to=a")
    lease, ids = _granted(worker)
    assert ids == [needed.first]
    worker.call(
        DISPATCHER, "finish", [[ids[0], 1, lease, int(OutcomeNumber.SUCCESS), encode(1), 0.0, 0.0, None]]
    )
    assert all_of(worker) == [other.first]
    lift(bench, "arg.to=a")
    assert all_of(worker) == [held.first]


def test_what_a_task_waits_for_is_not_lent_while_it_is_held(bench: Bench) -> None:
    worker, client = bench.worker("m:f"), bench.client()
    parent = submit(client)
    assert _granted(worker, 1)[1] == [parent.first]
    held, free = submit(client, tags={"arg.to": "a"}), submit(client)
    strike(bench, "arg.to=a")
    assert lent(worker.answer(lend(worker, parent.first, held, free))) == [free.first]
    call = lend(worker, parent.first, held)
    bench.step()
    assert call not in worker.answers
    lift(bench, "arg.to=a")
    bench.step()
    assert lent(worker.answer(call)) == [held.first]


def test_a_restart_compares_nothing_again_and_keeps_all_that_is_held(bench: Bench) -> None:
    ids, other = mapped(bench, ["a", "b", "a"]), single(bench, "a", priority=5)
    strike(bench, "arg.to=a", 60.0)
    after = again(bench)
    assert row_of(after)["waiting"] == 3
    worker = after.worker("m:f", slots=9)
    assert all_of(worker) == [ids[1]]
    after.advance(61)
    assert all_of(worker) == [other, ids[0], ids[2]]


def test_a_master_that_ends_amid_the_comparison_has_the_next_one_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(struck, "STEP_ROWS", 1)
    monkeypatch.setattr(struck, "STEPS_MAX", 1)
    ids = [single(bench, to) for to in ["a", "b"] * 150]
    admin = bench.client(role=Role.ADMIN)
    call = admin.ask(STRIKES, "add", "arg.to=a", "", None)
    bench.step()
    bench.step()
    assert call not in admin.answers
    after = again(bench)
    assert row_of(after)["comparing"]
    for _ in range(10):
        after.step()
    assert (row_of(after)["comparing"], row_of(after)["waiting"]) == (False, 150)
    assert all_of(after.worker("m:f", slots=9)) == ids[1::2]


def test_to_compare_very_many_tasks_is_work_of_several_transactions_and_is_answered_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(struck, "STEP_ROWS", 50)
    monkeypatch.setattr(struck, "STEPS_MAX", 2)
    for _ in range(10):
        mapped(bench, ["a", "b"] * 50)
    alone = [single(bench, "a") for _ in range(250)]
    admin = bench.client(role=Role.ADMIN)
    call, waiting = admin.ask(STRIKES, "add", "arg.to=a", "", None), [0]
    while call not in admin.answers:
        bench.step()
        waiting.append(row_of(bench)["waiting"])
        if call not in admin.answers:
            assert row_of(bench)["comparing"]
    assert waiting[-1] == 500 + len(alone)
    assert max(later - earlier for earlier, later in pairwise(waiting)) <= 300
    assert len(all_of(bench.worker("m:f", slots=9))) == 500


def test_a_failed_transaction_amid_the_comparison_loses_nothing_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(struck, "STEP_ROWS", 1)
    monkeypatch.setattr(struck, "STEPS_MAX", 1)
    ids = [single(bench, to) for to in ["a", "b"] * 200]

    def fail() -> None:
        raise StoreError("disk full")

    admin = bench.client(role=Role.ADMIN)
    call = admin.ask(STRIKES, "add", "arg.to=a", "", None)
    bench.step()
    bench.step(commit=fail)
    bench.advance(1)
    for _ in range(12):
        bench.step()
    assert call in admin.answers
    assert all_of(bench.worker("m:f", slots=9)) == ids[1::2]


def test_two_strikes_hold_a_task_until_both_have_ended_and_each_counts_it(bench: Bench) -> None:
    both, one = single(bench, "a.example"), single(bench, "b.example")
    strike(bench, "arg.to=a.*")
    strike(bench, "arg.to=*.example", 60.0)
    admin = bench.client(role=Role.ADMIN)
    assert [row["waiting"] for row in admin.call(STRIKES, "list")] == [1, 2]
    worker = bench.worker("m:f", slots=9)
    bench.advance(61)
    assert all_of(worker) == [one]
    lift(bench, "arg.to=a.*")
    assert all_of(worker) == [both]


def test_what_an_ended_strike_held_is_held_by_the_next_one_and_leaves_no_lane_behind(bench: Bench) -> None:
    ids = mapped(bench, ["a", "b"] * 5)
    for _ in range(3):
        strike(bench, "arg.to=a")
        lift(bench, "arg.to=a")
    strike(bench, "arg.to~a")
    worker = bench.worker("m:f", slots=9)
    assert all_of(worker) == ids[1::2]
    lift(bench, "arg.to~a")
    lease, given = _granted(worker, 99)
    assert given == ids[::2]
    success = int(OutcomeNumber.SUCCESS)
    worker.call(DISPATCHER, "finish", [[id, 1, lease, success, b"\xc0", 0.0, 0.0, None] for id in given])
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {})
    for _ in range(3):
        bench.step()
    assert lanes(bench) == []


def test_what_is_held_keeps_its_turn_its_limits_and_its_tenant(bench: Bench) -> None:
    columns = {
        "limits": [[{"name": "one", "max_running": 1}, TextColumn.of(["x", "y", "x", "y"]).to_wire()]],
        "tenant": TextColumn.of(["s", "t", "t", "s"]).to_wire(),
    }
    ids = mapped(bench, ["a", "a", "b", "b"], columns=columns)
    more = mapped(bench, ["a", "b"] * 10, columns={"tenant": TextColumn.of(["s"] * 5 + ["t"] * 15).to_wire()})
    strike(bench, "arg.to=a")
    admin = bench.client(role=Role.ADMIN)
    for tenant, tasks in (("s", 2 + 5), ("t", 2 + 15), ("u", 0)):
        assert sum(found(admin, {"tenants": [tenant]}).values()) == tasks
    worker = bench.worker("m:f", slots=99)
    assert sorted(all_of(worker)) == sorted([*ids[2:], *more[1::2]])
    lift(bench, "arg.to=a")
    assert sorted(all_of(worker)) == more[::2], "those that run have the only permit of either key"


def test_what_is_struck_costs_the_others_no_look(bench: Bench) -> None:
    mapped(bench, ["a", "b"] * 500)
    strike(bench, "arg.to in (a, b)")
    worker, line = bench.worker("m:f", slots=9), bench.engine.part(Routes).lanes
    assert leased(worker, 9) == []
    before = line.looks
    for _ in range(20):
        assert len({single(bench, "c")} & set(leased(worker, 9))) == 1
    assert line.looks == before


def test_why_names_the_strike_of_a_task_that_waits_and_of_one_that_is_delayed(bench: Bench) -> None:
    now, later, other = single(bench, "a"), single(bench, "a", delay=600.0), single(bench, "b")
    strike(bench, "arg.to=a")
    admin = bench.client(role=Role.ADMIN)
    assert "strike 1 on arg.to=a holds it back" in why(admin, now)
    assert "besides, strike 1 on arg.to=a holds it back" in why(admin, later)
    assert "strike" not in why(admin, other)
    reasons = admin.call("get_tasks", "show", now)["reasons"]
    assert [one["strike"] for one in reasons if one["kind"] == "strike"] == [1]


def test_a_strike_on_arguments_is_checked_by_which_of_them_the_newest_tasks_are_found(
    bench: Bench,
) -> None:
    single(bench, "a")
    for _ in range(3):
        single(bench, "", task="m:g")
    admin = bench.client(role=Role.ADMIN)
    for condition, found_by in {
        "task=m:f arg.to=a": {"to": True},
        "task=m:g arg.to=a": {"to": False},
        "task=m:f arg.to=a arg.too=b": {"to": True, "too": False},
        "task in (m:f, m:g) arg.to=a": {"to": True},
        "task=m:h arg.to=a": {},  # there has been none: who knows
        "arg.customer=4711": {},
        "task=m:f": {},
    }.items():
        assert admin.call(STRIKES, "check", condition) == found_by


def test_a_strike_on_an_argument_that_the_newest_tasks_leave_empty_holds_those_that_come(
    bench: Bench,
) -> None:
    ids = mapped(bench, [""] * 400)
    strike(bench, "task=m:f arg.to=a")
    held, other = single(bench, "a"), single(bench, "b")
    assert sorted(all_of(bench.worker("m:f", slots=9))) == sorted([*ids, other])
    lift(bench, "task=m:f arg.to=a")
    assert all_of(bench.worker("m:f", slots=9)) == [held]


def test_a_key_with_all_the_lanes_it_may_have_makes_no_more_by_arguments(bench: Bench) -> None:
    strike(bench, "arg.to=a")
    client = bench.client()
    client.session.account = Accounts().of("client")
    client.session.account.note(Resource.LANES, LIMITS[Resource.LANES].key)
    with pytest.raises(QuotaExceeded, match="keys of limits, needs and handlers"):
        client.call("get_task_queue/q", "submit", "m:f", {"tags": {"arg.to": "a"}}, [[new_ids(), PAYLOAD]])


@pytest.mark.parametrize("seed", range(8))
def test_in_a_random_life_nothing_that_is_struck_starts_and_nothing_else_waits(
    bench: Bench, seed: int
) -> None:
    """An oracle that knows only conditions: whatever comes, goes, comes back and is loaded again, a worker with room for all is given
    what no strike holds."""
    life = _Life(bench, random.Random(seed))  # noqa: S311 - the same cases every time
    for _ in range(70):
        life.go_on()
        life.look()
    life.end()


class _Life:
    TEXTS = (
        "arg.to=a", "arg.to~b", "arg.to!=a tenant=s", "task=m:f arg.to in (c, d)", "not has arg.to", "tenant=s or arg.to=c",
        "task=m:g", "limit.one=x arg.to=b", "not has tenant and arg.to='?'", "tag.kind=odd",
    )  # fmt: skip

    def __init__(self, bench: Bench, chance: random.Random) -> None:
        self.bench, self.chance = bench, chance
        declare(bench, Limit("one", max_running=1_000))
        self.worker = bench.worker("m:f", "m:g", slots=999)
        self.waiting: dict[bytes, dict[str, str]] = {}  # ready: what conditions say of them
        self.later: dict[bytes, dict[str, str]] = {}  # not yet, or maybe not yet
        self.held: dict[str, int | None] = {}  # until when

    def go_on(self) -> None:
        match self.chance.randrange(8):
            case 0:
                self._single()
            case 1 | 2:
                self._map()
            case 3 | 4:
                text, seconds = self.chance.choice(self.TEXTS), self.chance.choice((None, 5, 20))
                strike(self.bench, text, seconds)
                condition = str(parse_strike(text))
                self.held[condition] = None if seconds is None else self.bench.now.mono + seconds * 1000
            case 5 if self.held:
                text = self.chance.choice(list(self.held))
                lift(self.bench, text)
                del self.held[text]
            case 6:
                self.bench = again(self.bench)
                self.bench.advance(4)  # what the worker of before had comes back
                self.worker = self.bench.worker("m:f", "m:g", slots=999)
            case _:
                self.bench.advance(self.chance.choice((1, 3, 10)))
        moment = self.bench.now.mono
        self.held = {text: until for text, until in self.held.items() if until is None or until > moment}

    def _single(self) -> None:
        to, kind = self.chance.choice(["a", "b", "c", "ab", ""]), self.chance.choice(["odd", ""])
        task, delay = self.chance.choice(["m:f", "m:g"]), self.chance.choice([0.0, 0.0, 6.0])
        tags = {"kind": kind} if kind else {}
        id = single(self.bench, to, task=task, tags=tags, delay=delay, retries=9, backoff=2.0)
        tags |= {"arg.to": to} if to else {}
        (self.later if delay else self.waiting)[id] = with_tags(facts_of("q", task, "", {}), tags)

    def _map(self) -> None:
        tasks, chance = self.chance.randint(1, 12), self.chance
        tos = [chance.choice(["a", "b", "c", "d", ""]) for _ in range(tasks)]
        tos = tos if chance.random() < 0.7 else [tos[0]] * tasks
        tenants = [chance.choice("st") for _ in range(tasks)] if chance.random() < 0.5 else []
        keys = [chance.choice("xy") for _ in range(tasks)] if chance.random() < 0.4 else []
        columns: dict[str, Any] = {}
        if tenants:
            columns["tenant"] = TextColumn.of(tenants).to_wire()
        if keys:
            columns["limits"] = [[{"name": "one", "max_running": 1_000}, TextColumn.of(keys).to_wire()]]
        delay = chance.choice([0.0, 0.0, 0.0, 6.0])
        ids = mapped(self.bench, tos, columns=columns, delay=delay, retries=9, backoff=2.0)
        for place, (id, to) in enumerate(zip(ids, tos, strict=True)):
            tenant, limits = tenants[place] if tenants else "", {"one": keys[place]} if keys else {}
            facts = with_tags(facts_of("q", "m:f", tenant, limits), {"arg.to": to} if to else {})
            (self.later if delay else self.waiting)[id] = facts

    def _holds(self, facts: dict[str, str]) -> bool:
        return any(holds(parse_strike(text), facts) for text in self.held)

    def look(self) -> None:
        """All that is not held is given, and nothing else; some of it succeeds, and the rest comes back one way or another."""
        leases = list[tuple[bytes, list[Any]]]()
        while (answer := self.worker.call(DISPATCHER, "lease", 500, 0, False))[1]:
            leases.append((answer[0], list(each(answer[1]))))
        given = {id for _, jobs in leases for id, *_ in jobs}
        facts = {**self.waiting, **self.later}
        assert not [facts[id] for id in given if self._holds(facts[id])]
        missing = [id for id, one in self.waiting.items() if not self._holds(one) and id not in given]
        assert not [facts[id] for id in missing]
        for lease, jobs in leases:
            for id, attempt, *_ in jobs:
                self._end(lease, id, attempt, facts[id])

    def _end(self, lease: bytes, id: bytes, attempt: int, facts: dict[str, str]) -> None:
        for group in (self.waiting, self.later):
            group.pop(id, None)
        match self.chance.randrange(3):
            case 0:
                self.worker.call(DISPATCHER, "release", [[id, attempt, lease]])
                self.waiting[id] = facts
            case 1:
                error = int(OutcomeNumber.ERROR)
                row = [id, attempt, lease, error, b"\x80", 0.0, 0.0, None]
                self.worker.call(DISPATCHER, "finish", [row])
                self.later[id] = facts
            case _:
                row = [id, attempt, lease, int(OutcomeNumber.SUCCESS), b"\xc0", 0.0, 0.0, None]
                self.worker.call(DISPATCHER, "finish", [row])

    def end(self) -> None:
        for text in list(self.held):
            lift(self.bench, text)
        self.held = {}
        self.bench.advance(60)
        given = set(all_of(self.worker))
        assert given >= self.waiting.keys()
        routes = self.bench.engine.part(Routes)
        assert not [one for one in routes if one.struck or one.asks]
