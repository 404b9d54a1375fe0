"""What one call, one transaction and one answer may come to, whatever is asked for."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, QuotaExceeded, StoreError
from tq.common.values.codec import encode_call
from tq.common.wire.frames import FRAME_BYTES_MAX, pack
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.engine.agenda import Agenda
from tq.master.engine.clock import Now
from tq.master.engine.part import Part
from tq.master.engine.work import ROW_BYTES, ROWS_MAX, SECONDS_MAX
from tq.master.locks import claims, primitives
from tq.master.observe import overview
from tq.master.tasks.calls import LIST_TASKS_MAX, RUNS_TOGETHER
from tq.master.tasks.lookup import IDS_MAX
from tq.master.tasks.routes import Routes
from tq.master.tasks.subscriptions import UNKNOWN
from tq.master.workers.calls import HELD_MAX
from tq.master.workers.worker_info import (
    HOST_CHARS_MAX,
    LABEL_CHARS_MAX,
    LABELS_MAX,
    PATTERN_CHARS_MAX,
    PATTERNS_MAX,
    TASK_CHARS_MAX,
    TASKS_MAX,
    VERSION_CHARS_MAX,
)

from tests.master.leased import each

from ..conftest import Bench, Peer
from ..new_store import NewStore

NOTHING = encode_call((), {})


def submit(peer: Peer, count: int, payload: bytes = NOTHING) -> list[bytes]:
    ids = [new_ids() for _ in range(count)]
    peer.call("get_task_queue/q", "submit", "m:f", {}, [[id, payload] for id in ids])
    return ids


def with_account(peer: Peer, accounts: Accounts) -> Peer:
    peer.session.account = accounts.of("a")
    return peer


# a transaction


def test_a_transaction_ends_when_its_work_is_done_however_many_calls_wait(bench: Bench) -> None:
    client = bench.client()
    submit(client, LIST_TASKS_MAX)
    calls = [client.ask("get_tasks", "list", {}, LIST_TASKS_MAX) for _ in range(20)]
    at_once = ROWS_MAX // LIST_TASKS_MAX
    assert len(bench.step().calls) == at_once
    assert [len(client.answer(call)) for call in calls[:at_once]] == [LIST_TASKS_MAX] * at_once
    assert bench.engine.has_work
    while bench.engine.has_work:
        bench.step()
    assert len(client.answers) == 20 - at_once


def test_who_asks_for_little_does_not_wait_for_all_that_another_key_asked_before(bench: Bench) -> None:
    accounts = Accounts()
    greedy, modest = bench.client(), bench.client()
    greedy.session.account, modest.session.account = accounts.of("greedy"), accounts.of("modest")
    submit(greedy, LIST_TASKS_MAX)
    for _ in range(20):
        greedy.ask("get_tasks", "list", {}, LIST_TASKS_MAX)
    call = modest.ask("get_master", "info")
    bench.step()
    assert modest.answer(call)


def test_leases_that_are_too_much_for_one_transaction_are_given_out_in_the_next(bench: Bench) -> None:
    size = ROWS_MAX * ROW_BYTES // 2
    workers = [bench.worker("m:f") for _ in range(5)]
    calls = [worker.ask("get_dispatcher", "lease", 1) for worker in workers]
    client = bench.client()
    for _ in workers:
        bench.engine.part(Routes).queue(
            "q"
        ).paused = True  # stored first, as tasks that waited before the workers came
        client.call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), bytes(size)]])
    bench.engine.part(Routes).queue("q").paused = False
    bench.step()
    answered = [sum(call in worker.answers for call, worker in zip(calls, workers, strict=True))]
    while bench.engine.has_work:
        bench.step()
        answered.append(sum(call in worker.answers for call, worker in zip(calls, workers, strict=True)))
    assert answered == [2, 4, 5]


def test_outcomes_that_are_too_much_for_one_transaction_are_delivered_in_the_next(bench: Bench) -> None:
    client = bench.client()
    first = new_ids()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[first, [NOTHING] * IDS_MAX]])
    client.call("get_tasks", "cancel", [[first, IDS_MAX]])
    streams = [f"get_result_queue/{name}" for name in "abc"]
    calls = [client.ask(stream, "collect", ROWS_MAX) for stream in streams]
    bench.step()
    for stream in streams:
        client.ask(stream, "watch", [[first, IDS_MAX]])
    while bench.engine.has_work:
        bench.step()
    outcomes = [client.answer(call) for call in calls]
    assert [sum(len(row[2]) for row in rows) for rows in outcomes] == [IDS_MAX] * 3


def test_tasks_far_from_each_other_are_watched_in_portions_and_nothing_of_them_is_lost(bench: Bench) -> None:
    client, other = bench.client(), bench.client()
    client.session.account, other.session.account = Accounts().of("a"), Accounts().of("b")
    ids = submit(client, 3 * RUNS_TOGETHER)
    client.call("get_tasks", "cancel", [ids[0], ids[-1]])
    collect = client.ask("get_result_queue/s", "collect", IDS_MAX)
    watch = client.ask("get_result_queue/s", "watch", ids)
    unwatch = client.ask("get_result_queue/s", "unwatch", [ids[1]])
    bench.step()
    call = other.ask("get_result_queue/s", "watch", [ids[0]])
    bench.step()
    assert client.answers.keys() == {collect}
    bench.step()
    assert other.answer(call) is None
    while not {watch, unwatch} <= client.answers.keys():
        bench.step()
    client.call("get_tasks", "cancel", ids[:RUNS_TOGETHER])
    seen = client.answer(collect)
    while len(seen) < RUNS_TOGETHER:
        seen += client.call("get_result_queue/s", "collect", IDS_MAX)
    assert {row[0] for row in seen} == {ids[0], *ids[2:RUNS_TOGETHER], ids[-1]}
    for start in range(0, len(ids), RUNS_TOGETHER):
        client.call("get_result_queue/s", "unwatch", ids[start : start + RUNS_TOGETHER])
    account = client.session.account
    assert (account.held[Resource.WATCHED], account.held[Resource.WATCHED_BLOCKS]) == (0, 0)


# a parked call


def test_a_parked_call_keeps_nothing_of_its_arguments_but_what_it_waits_with(bench: Bench) -> None:
    client = bench.client()
    calls = [
        client.ask(("get_event", "e"), "wait", b"t" * 16, 0),
        client.ask(("get_queue", "q"), "get", b"t" * 16),
    ]
    requests = [weakref.ref(client.session.calls[call].run) for call in calls]  # type: ignore[arg-type]
    bench.step()
    gc.collect()
    assert [request() for request in requests] == [None, None]
    assert set(calls) <= client.session.calls.keys()


@pytest.mark.parametrize(
    ("target", "method", "arguments"),
    [
        (("get_queue", "q"), "get", [b"t" * 16, [[]] * 100]),
        (("get_queue", "q", None, 0, []), "get", [b"t" * 16]),
        (("get_queue", "q"), "put", [b"p" * 16, 1, b"x", "yes"]),
        (("get_queue", "q"), "put", [b"p" * 16, 1, b"x", True, b"r" * 2_000]),
        (("get_queue", "q"), "shutdown", ["now"]),
        (("get_lock", "l"), "acquire", [b"t" * 16, 1]),
        (("get_lock", "l", "lock", 1, "mine"), "acquire", [b"t" * 16]),
        (("get_event", "e", 0), "wait", [b"t" * 16, 0]),
        (("get_dispatcher",), "release", [[], None]),
        (("get_tasks",), "cancel", [[], 1]),
    ],
)
def test_arguments_of_another_type_are_refused_and_not_taken_for_true(
    bench: Bench, target: tuple[Any, ...], method: str, arguments: list[Any]
) -> None:
    peer = bench.worker("m:f") if target == ("get_dispatcher",) else bench.client()
    with pytest.raises(InvalidArgument, match=r"must be true or false|a rank has at most 1,024 bytes"):
        peer.call(target, method, *arguments)
    assert not peer.session.calls


def test_puts_that_wait_count_and_are_refused_beyond_the_limit(bench: Bench) -> None:
    client = with_account(bench.client(), Accounts())
    queue, account = ("get_queue", "q", "fifo", 1), client.session.account
    client.call(queue, "put", b"p" * 16, 1, b"x")
    parked = client.ask(queue, "put", b"p" * 16, 2, b"x" * 1_000)
    bench.step()
    assert account.held[Resource.PARKED_BYTES] == 1_000
    account.note(Resource.PARKED_BYTES, LIMITS[Resource.PARKED_BYTES].key - 1_999)
    with pytest.raises(QuotaExceeded, match="wait until there is room for what was put"):
        client.call(queue, "put", b"p" * 16, 3, b"x" * 1_000)
    account.give(Resource.PARKED_BYTES, LIMITS[Resource.PARKED_BYTES].key - 1_999)
    client.call(queue, "get", b"t" * 16)
    assert client.answer(parked) is True
    assert account.held[Resource.PARKED_BYTES] == account.held[Resource.CALLS] == 0


# one call


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("get_tasks", "states"),
        ("get_tasks", "cancel"),
        ("get_tasks", "retry"),
        ("get_result_queue/s", "watch"),
        ("get_result_queue/s", "unwatch"),
    ],
)
def test_so_many_ids_in_one_call_and_no_more(bench: Bench, target: str, method: str) -> None:
    client = bench.client()
    client.call(target, method, [b"i" * 16] * IDS_MAX)
    with pytest.raises(
        InvalidArgument, match=r"10,001 task ids in one call; at most 10,000: ask in portions"
    ):
        client.call(target, method, [b"i" * 16] * (IDS_MAX + 1))


def test_a_task_that_is_watched_twice_is_counted_once_until_it_is_collected(bench: Bench) -> None:
    client = with_account(bench.client(), Accounts())
    account, [known] = client.session.account, submit(bench.client(), 1)
    unknown = new_ids()
    for _ in range(2):
        client.call("get_result_queue/s", "watch", [known, known, unknown, unknown])
    assert account.held[Resource.WATCHED] == 3  # the unknown one was reported twice, and is watched no longer
    assert client.call("get_result_queue/s", "collect") == [[unknown, UNKNOWN, None]] * 2
    assert account.held[Resource.WATCHED] == 1
    client.call("get_result_queue/s", "unwatch", [known])
    assert (account.held[Resource.WATCHED], account.held[Resource.STREAMS]) == (0, 1)
    client.close()
    bench.step()
    assert not any(account.held)


def test_watched_tasks_beyond_the_limit_are_refused_by_watch_and_by_submit(bench: Bench) -> None:
    client = with_account(bench.client(), Accounts())
    client.session.account.note(Resource.WATCHED, LIMITS[Resource.WATCHED].key - 1)
    refusal = (
        "1,000,000; at most 1,000,000|999,999 tasks whose outcomes are not collected yet; at most 1,000,000"
    )
    with pytest.raises(QuotaExceeded, match=refusal):
        client.call("get_result_queue/s", "watch", [new_ids(), new_ids()])
    with pytest.raises(QuotaExceeded, match=refusal):
        client.call(
            "get_task_queue/q", "submit", "m:f", {}, [[new_ids(), NOTHING], [new_ids(), NOTHING]], "s"
        )
    client.call("get_result_queue/s", "watch", [new_ids()])


def test_watched_tasks_are_charged_for_the_blocks_that_their_ids_are_in(bench: Bench) -> None:
    client = with_account(bench.client(), Accounts())
    account = client.session.account
    lone = [bytes([n]) * 16 for n in (1, 2, 3)]
    first = b"m" * 12 + bytes(4)
    tasks = [*([id, NOTHING] for id in lone), [first, [NOTHING] * 10]]
    client.call("get_task_queue/q", "submit", "m:f", {}, tasks, "s")
    assert (account.held[Resource.WATCHED], account.held[Resource.WATCHED_BLOCKS]) == (13, 4)
    client.call("get_tasks", "cancel", [lone[0], first])
    client.call("get_result_queue/s", "unwatch", [lone[1]])
    assert account.held[Resource.WATCHED_BLOCKS] == 2
    account.note(Resource.WATCHED_BLOCKS, LIMITS[Resource.WATCHED_BLOCKS].key - 2)
    with pytest.raises(
        QuotaExceeded, match="watched tasks whose ids are far from each other; at most 250,000"
    ):
        client.call("get_result_queue/s", "watch", [lone[1]])
    account.give(Resource.WATCHED_BLOCKS, LIMITS[Resource.WATCHED_BLOCKS].key - 2)
    client.close()
    bench.step()
    assert (account.held[Resource.WATCHED], account.held[Resource.WATCHED_BLOCKS]) == (0, 0)


def test_results_that_are_too_much_to_hold_are_read_when_they_are_collected(bench: Bench) -> None:
    client, worker = with_account(bench.client(), Accounts()), bench.worker("m:f")
    ids = submit(client, 3)
    lease, groups = worker.call("get_dispatcher", "lease", 3)
    bodies = [bytes([n]) * 1_000 for n in range(3)]
    worker.call(
        "get_dispatcher",
        "finish",
        [
            [id, 1, lease, 0, body, 0.0, 0.0, None]
            for (id, _, _), body in zip(each(groups), bodies, strict=True)
        ],
    )
    account = client.session.account
    account.note(Resource.OUTCOME_BYTES, LIMITS[Resource.OUTCOME_BYTES].key)
    client.call("get_result_queue/s", "watch", ids)
    collected = client.call("get_result_queue/s", "collect")
    assert [body for _, _, body in collected] == bodies
    account.give(Resource.OUTCOME_BYTES, LIMITS[Resource.OUTCOME_BYTES].key)
    assert account.held[Resource.WATCHED] == 0


# what a worker says of itself

INFO = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": [], "queues": None, "version": "v"}


@pytest.mark.parametrize(
    ("name", "made", "most"),
    [
        ("host", lambda size: "h" * size, HOST_CHARS_MAX),
        ("version", lambda size: "v" * size, VERSION_CHARS_MAX),
        ("tasks", lambda size: ["t" * size], TASK_CHARS_MAX),
        ("tasks", lambda size: ["t"] * size, TASKS_MAX),
        ("allow", lambda size: ["a" * size], PATTERN_CHARS_MAX),
        ("allow", lambda size: ["a"] * size, PATTERNS_MAX),
        ("queues", lambda size: ["q"] * size, PATTERNS_MAX),
        ("labels", lambda size: {"l" * size: "v"}, LABEL_CHARS_MAX),
        ("labels", lambda size: {"l": "v" * size}, LABEL_CHARS_MAX),
        ("labels", lambda size: {str(number): "" for number in range(size)}, LABELS_MAX),
    ],
)
def test_all_that_a_worker_says_of_itself_has_a_length(
    bench: Bench, name: str, made: Callable[[int], Any], most: int
) -> None:
    worker = bench.worker()
    worker.call("get_dispatcher", "announce", {**INFO, name: made(most)}, [])
    with pytest.raises(InvalidArgument, match=rf"announce: .*at most {most:,}"):
        worker.call("get_dispatcher", "announce", {**INFO, name: made(most + 1)}, [])


def test_a_worker_announces_so_many_held_leases_and_no_more(bench: Bench) -> None:
    worker = bench.worker()
    worker.call("get_dispatcher", "announce", INFO, [[b"i" * 16, 1, b"l" * 16]] * HELD_MAX)
    with pytest.raises(InvalidArgument, match="100,001 held leases; at most 100,000"):
        worker.call("get_dispatcher", "announce", INFO, [[b"i" * 16, 1, b"l" * 16]] * (HELD_MAX + 1))


def test_workers_that_are_gone_make_room_for_those_that_announce(bench: Bench) -> None:
    accounts = Accounts()

    def announce(host: str) -> Peer:
        worker = with_account(bench.worker(), accounts)
        worker.call("get_dispatcher", "announce", {**INFO, "host": host, "tasks": ["t" * 900] * 9_000}, [])
        return worker

    for number in range(20):
        worker = announce(f"host {number}")
        if number < 17:
            worker.call("get_dispatcher", "leave")
            worker.close()
    listed = {row["host"] for row in bench.client().call("get_workers", "list")}
    assert {"host 17", "host 18", "host 19"} <= listed
    with pytest.raises(QuotaExceeded, match="announce fewer tasks, or use a second key"):
        announce("one too many")


def test_the_rows_of_workers_fit_one_answer_and_who_says_little_is_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.worker("honest:task")
    for number in range(9):
        bench.worker().call(
            "get_dispatcher",
            "announce",
            {**INFO, "host": f"{'h' * 250}{number}", "tasks": ["t" * 900] * 9_000, "queues": ["q*"]},
            [],
        )
    rows = bench.client().call("get_workers", "list")
    assert len(pack(rows)) < FRAME_BYTES_MAX
    assert len(rows) == 10
    assert [row["tasks"] for row in rows if row["host"] == "host"] == [["honest:task"]]
    assert {tuple(row["queues"]) for row in rows if not row["tasks"]} == {(overview.LEFT_OUT,)}
    monkeypatch.setattr(overview, "ROWS_BYTES_MAX", 3 * (overview.ROW_BYTES + 251))
    assert "host" in {row["host"] for row in bench.client().call("get_workers", "list")}


def test_the_rows_of_queues_fit_one_answer_and_those_in_use_are_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bench.client()
    for number in range(6):
        client.call(("get_queue", f"empty {number}".replace(" ", "-")), "make")
    submit(client, 1)
    client.call(("get_queue", "zz"), "put", b"p" * 16, 1, b"x")
    monkeypatch.setattr(overview, "QUEUES_SHOWN_MAX", 3)
    assert [row["name"] for row in client.call("get_queues", "list")] == ["empty-0", "q", "zz"]


# names that stay


def named_queue(peer: Peer, name: str) -> None:
    peer.call(("get_queue", name), "make")


def named_lock(peer: Peer, name: str) -> None:
    peer.call(("get_lock", name), "state")


def named_event(peer: Peer, name: str) -> None:
    peer.call(("get_event", name), "state")


def named_list(peer: Peer, name: str) -> None:
    peer.call(("get_datum", "list", name), "make", NOTHING)


def results_of(peer: Peer, name: str) -> None:
    info = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": [], "queues": None, "version": "1"}
    peer.call("get_dispatcher", "announce", {**info, "apply": [["jobs", "m:f", name]]}, [])


def putter(peer: Peer, name: str) -> None:
    peer.call("get_queue/q", "put", name.encode().ljust(16), 1, b"x")


def held(peer: Peer, name: str) -> None:
    peer.call("get_queue/q", "put", bytes(16), int(name[1:]) + 1, b"x")
    peer.call("get_queue/q", "get", name.encode().ljust(16))


def permit(peer: Peer, name: str) -> None:
    peer.call(("get_lock", "s", "semaphore", 100), "acquire", name.encode().ljust(16))


@pytest.mark.parametrize(
    ("take", "what"),
    [
        (permit, Resource.CLAIMS),
        (named_queue, Resource.QUEUES),
        (named_lock, Resource.SYNCS),
        (named_event, Resource.SYNCS),
        (named_list, Resource.DATA),
        (results_of, Resource.ORIGINS),
        (putter, Resource.PUTTERS),
        (held, Resource.HELD),
    ],
)
def test_one_key_takes_no_more_than_its_share_of_what_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, take: Callable[[Peer, str], None], what: Resource
) -> None:
    monkeypatch.setitem(LIMITS, what, LIMITS[what]._replace(key=5, all=8))
    accounts = Accounts()
    one, other = (bench.worker("m:f") if take is results_of else bench.client() for _ in range(2))
    one.session.account, other.session.account = accounts.of("one"), accounts.of("other")
    for number in range(5):
        take(one, f"a{number}")
    take(one, "a0") if take is not held else None  # it is there
    with pytest.raises(QuotaExceeded, match="this key has 5"):
        take(one, "a5")
    take(other, "a6")
    assert [accounts.of(key).held[what] for key in ("one", "other")] == [5, 1]


def test_what_goes_leaves_its_room_to_others(bench: Bench) -> None:
    accounts = Accounts()
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    account = client.session.account = accounts.of("a")
    client.call("get_queue/q", "put", bytes(16), 1, b"x")
    assert client.call("get_queue/q", "get", b"t" * 16) == b"x"
    named_lock(client, "l")
    named_list(client, "d")
    kinds = (Resource.QUEUES, Resource.PUTTERS, Resource.HELD, Resource.SYNCS, Resource.DATA)
    assert [account.held[what] for what in kinds] == [1] * 5
    client.call("get_queue/q", "confirm", [b"t" * 16])
    admin.call("get_queues", "delete", "q", True)
    admin.call("get_locks", "delete", "l")
    admin.call("get_data", "delete", "d")
    assert [account.held[what] for what in kinds] == [0] * 5


def test_what_a_failed_transaction_made_is_given_back(bench: Bench) -> None:
    accounts = Accounts()
    client = bench.client()
    account = client.session.account = accounts.of("a")

    def fails() -> None:
        raise StoreError("the disk is full")

    for call in (
        lambda: client.ask("get_queue/q", "put", bytes(16), 1, b"x"),
        lambda: client.ask("get_queue/q", "get", b"t" * 16),
        lambda: client.ask("get_lock/l", "acquire", b"t" * 16),
        lambda: client.ask("get_datum/list/d", "make", NOTHING),
    ):
        call()
    bench.step(commit=fails)
    kinds = (Resource.QUEUES, Resource.PUTTERS, Resource.HELD, Resource.SYNCS, Resource.DATA)
    assert [account.held[what] for what in kinds] == [0] * 5


def test_a_list_of_names_that_are_not_for_this_key_is_work_all_the_same(bench: Bench) -> None:
    client, bound = bench.client(), bench.client(("none.*",), Role.VIEWER)
    for number in range(2_000):
        client.ask(("get_queue", f"q{number}"), "make")
        client.ask(("get_lock", f"l{number}"), "state")
    while bench.engine.has_work:
        bench.step()
    for target, empty in (("get_queues", []), ("get_locks", {"rows": [], "left_out": 0})):
        calls = [bound.ask(target, "list") for _ in range(500)]
        assert len(bench.step().calls) < len(calls)
        while bench.engine.has_work:
            bench.step()
        assert [bound.answer(call) for call in calls] == [empty] * len(calls)


def test_what_is_remembered_of_locks_has_a_bound_however_many_there_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "REMEMBERED_ALL", 1_000)
    client = bench.client()
    account = client.session.account = Accounts().of("a")
    for number in range(100):
        for turn in range(12):
            token = bytes([number, turn]) * 8
            client.ask(("get_lock", f"l{number}"), "acquire", token)
            client.ask(("get_lock", f"l{number}"), "release", token)
    while bench.engine.has_work:
        bench.step()
    assert account.held[Resource.CLAIMS] == 0
    assert [
        len(primitive.remembered) for primitive in bench.engine.part(primitives.Primitives).by_name.values()
    ][-1] == 10


def calls_of_an_empty_transaction(bench: Bench) -> int:
    calls = 0

    def note(frame: object, event: str, of: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    bench.step()
    sys.setprofile(note)
    bench.engine.committed(bench.engine.run(bench.now))
    bench.engine.next_wakeup()
    sys.setprofile(None)
    return calls


class SlowChore(Part):
    """Has something to do in every transaction, for longer than calls have."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda, self.passed = agenda, 0.0

    def seconds(self) -> float:
        return self.passed

    def due(self, key: Hashable, now: Now) -> None:
        self.passed += 2 * SECONDS_MAX
        self._agenda.set(self, key, now.mono)


def test_chores_that_take_long_in_every_transaction_leave_calls_their_share() -> None:
    clock: list[SlowChore] = []
    store = NewStore()
    bench = Bench(store, lambda: clock[0].seconds() if clock else 0.0)
    chore = SlowChore(bench.engine.core.agenda)
    clock.append(chore)
    bench.engine.core.agenda.set(chore, "due", bench.now.mono)
    assert bench.client().call("get_tasks", "states", []) == []
    assert chore.passed > SECONDS_MAX
    store.close()


def test_an_empty_transaction_does_as_much_whatever_the_number_of_workers(
    make_bench: Callable[..., Bench],
) -> None:
    few, many = make_bench(), make_bench()
    for bench, workers in ((few, 10), (many, 500)):
        for _ in range(workers):
            bench.worker("m:f")
    assert calls_of_an_empty_transaction(few) == calls_of_an_empty_transaction(many)
