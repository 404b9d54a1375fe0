"""One key against a real master: whatever it sends, its neighbours are served and the master's memory has a bound."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgpack
import psutil
import pytest
import tq
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import QuotaExceeded
from tq.common.values.codec import encode_call
from tq.common.values.failure import Failure
from tq.common.wire.frames import HEADER, Kind, encode_frame
from tq.common.wire.protocol import PING
from xprocess import XProcess

from .hostile_client import Hostile
from .programs import Master, eventually, let_pass

pytestmark = pytest.mark.few

MIB = 1024 * 1024
PATIENT = {"TQ_HEARTBEAT_SECONDS": "15", "TQ_LEASE_SECONDS": "60"}  # hostile clients send no heartbeats
MEMORY_BYTES_MAX = 256 * MIB  # above rest
ROUND_TRIP_SECONDS_MAX = 1.0  # of a neighbour, 99 of 100: it guards, and measures nothing
PAUSE_SECONDS = 0.01  # between two of its calls
HELD_SECONDS = 1.5  # how long it keeps up what it has begun: the master does all that in a part of it
TASKS = 4_000
LARGE_BYTES = 4 * MIB
TASK_QUEUE, RESULTS, TASK_LIST, DISPATCHER = (
    ["get_task_queue", "q"],
    ["get_result_queue", "s"],
    ["get_tasks"],
    ["get_dispatcher"],
)
EMPTY = b"\xdc\xff\xff" + b"\x90" * 65_535  # a list of 65,535 empty lists
WORKER = {"host": "h", "pid": 1, "slots": 8, "labels": {}, "tasks": ["a:b"], "queues": None, "version": "x"}


class Target(NamedTuple):
    master: Master
    large: bytes  # the id of a task of LARGE_BYTES


@pytest.fixture(scope="module")
def target(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A master with some thousand tasks."""
    master = Master(xprocess, tmp_path_factory.mktemp("target"), authkey=None)
    master.environment |= PATIENT
    try:
        master.start()
        with Hostile(master.port, master.key("client")) as client:
            client.call(
                TASK_QUEUE, "submit", "a:b", {}, [[new_ids(), encode_call((n,), {})] for n in range(TASKS)]
            )
            large = new_ids()
            client.call(TASK_QUEUE, "submit", "a:large", {}, [[large, b"x" * LARGE_BYTES]])
        yield Target(master, large)
    finally:
        master.end()


class Attack:
    """What one key does, with as many connections as it likes."""

    def __init__(self, target: Target, role: Role) -> None:
        self.target = target
        with Hostile(target.master.port, target.master.key("admin"), Role.ADMIN) as admin:
            self._key = admin.call(["get_keys"], "add", str(role), [], "hostile")
        self._role = role
        self._all: list[Hostile] = []

    def connect(self) -> Hostile:
        self._all.append(Hostile(self.target.master.port, self._key, self._role))
        return self._all[-1]

    def at_once(self, connections: int, what: Callable[[Hostile], object]) -> None:
        """The same on many connections; each until it is done or cut off."""

        def perform() -> None:
            with contextlib.suppress(OSError):
                what(self.connect())

        threads = [threading.Thread(target=perform) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    def close(self) -> None:
        for one in self._all:
            one.close()


# what a key does


def asks_for_lists_and_does_not_read_them(attack: Attack) -> None:
    client = attack.connect()
    for _ in range(400):
        client.post(TASK_LIST, "list", {}, 2_000)
    let_pass(HELD_SECONDS)  # it reads nothing for so long


def sends_a_message_of_sixteen_million_lists(attack: Attack) -> None:
    client = attack.connect()
    body = b"\x95\x01\x91\xa9get_tasks\xa6states\x91\xdc\x00\xfa" + EMPTY * 250 + b"\x80"
    client.send(encode_frame(Kind.CALL, body))
    with pytest.raises(ConnectionResetError, match="more than 500,000 values"):
        client.answer(1)


def sends_messages_of_as_many_lists_as_may_be(attack: Attack) -> None:
    client = attack.connect()
    garbage = encode_frame(Kind.CALL, b"\x95\x01\x91\xaaget_master\xa4info\x91\x97" + EMPTY * 7 + b"\x80")
    for _ in range(10):
        client.send(garbage)
        with pytest.raises(tq.InvalidArgument, match="too many positional"):
            client.answer(1)


def parks_calls_with_garbage(attack: Attack) -> None:
    client = attack.connect()
    for _ in range(19_000):
        client.post(["get_event", "never"], "wait", os.urandom(16), 0)
    with pytest.raises(tq.InvalidArgument, match="wait must be true or false"):
        client.call(["get_queue", "empty"], "get", os.urandom(16), [[]] * 100_000)


def parks_puts_until_one_is_refused(attack: Attack) -> None:
    client = attack.connect()
    queue = ["get_queue", "full", "fifo", 1]
    client.call(queue, "put", os.urandom(16), 1, b"x")
    calls = [client.post(queue, "put", os.urandom(16), 1, b"x" * LARGE_BYTES) for _ in range(20)]
    with pytest.raises(QuotaExceeded, match="bytes in calls that wait; at most 33,554,432"):
        client.answer(calls[8])


def takes_large_answers_on_many_connections_and_does_not_read_them(attack: Attack) -> None:
    def ask(client: Hostile) -> None:
        for _ in range(8):
            client.post(TASK_LIST, "show", attack.target.large)
        let_pass(HELD_SECONDS)  # it reads nothing for so long

    attack.at_once(30, ask)


def sends_halves_of_long_messages_on_many_connections(attack: Attack) -> None:
    def send(client: Hostile) -> None:
        client.channel.settimeout(3)
        client.send(HEADER.pack(15 * MIB, Kind.CALL) + b"x" * (14 * MIB))

    attack.at_once(30, send)


def watches_unknown_tasks(attack: Attack) -> None:
    client = attack.connect()
    with pytest.raises(tq.InvalidArgument, match="400,000 task ids in one call; at most 10,000"):
        client.call(RESULTS, "watch", [os.urandom(16) for _ in range(400_000)])
    for _ in range(6):
        client.call(RESULTS, "watch", [os.urandom(16) for _ in range(10_000)])


def floods_with_pings_and_nonsense(attack: Attack) -> None:
    nonsense = encode_frame(Kind.CALL, msgpack.packb([1, ["nothing"], "here", [], {}]))

    def flood(client: Hostile) -> None:
        client.channel.settimeout(3)
        for _ in range(10):
            client.send(PING * 50_000 + nonsense * 2_000)

    attack.at_once(4, flood)


def says_too_much_of_itself(attack: Attack) -> None:
    worker = attack.connect()
    for info, refusal in (
        ({"host": "h" * 5_000_000}, "the host of 5,000,000 characters; at most 255"),
        ({"allow": ["a.*"] * 10_000}, "10,000 patterns of --allow and --queue; at most 100"),
        ({"tasks": ["t" * 2_000]}, "a task's name of 2,000 characters; at most 1,000"),
        ({"labels": {"l": "v" * 300}}, "a label of 300 characters; at most 255"),
    ):
        with pytest.raises(tq.InvalidArgument, match=refusal):
            worker.call(DISPATCHER, "announce", {**WORKER, **info}, [])
    longest = {**WORKER, "host": "h" * 255, "tasks": [f"{'t' * 990}:{n}" for n in range(8_000)]}
    for _ in range(3):
        attack.connect().call(DISPATCHER, "announce", longest, [])
    with pytest.raises(QuotaExceeded, match="bytes of announcements of workers; at most 33,554,432"):
        attack.connect().call(DISPATCHER, "announce", longest, [])


def begins_unknown_tasks_and_has_very_many_children(attack: Attack) -> None:
    worker = attack.connect()
    worker.call(DISPATCHER, "announce", WORKER, [])
    for _ in range(10):
        worker.call(DISPATCHER, "starting", [os.urandom(16) for _ in range(10_000)])
    for _ in range(25):
        worker.send(
            b"".join(encode_frame(Kind.CHILD, msgpack.packb([os.urandom(16), True])) for _ in range(1_000))
        )
    with pytest.raises(QuotaExceeded, match="20,000 children of workers"):
        worker.call(TASK_LIST, "states", [], child=os.urandom(16))


def looks_for_what_is_not_there(attack: Attack) -> None:
    client = attack.connect()
    calls = [client.post(TASK_LIST, "select", {"states": [11]}, 0) for _ in range(100)]
    hard = ["*" + "a" * 100 + "b" + "a" * 100 + f"{n}*" for n in range(100)]
    calls.append(client.post(TASK_LIST, "select", {"names": hard}, 0))
    for call in calls:
        assert client.answer(call)["rows"] == []


def releases_what_others_wait_for_and_hangs_up(attack: Attack) -> None:
    waits, hangs_up, asks = attack.connect(), attack.connect(), attack.connect()
    for client in (waits, hangs_up):
        client.send(
            b"".join(
                encode_frame(
                    Kind.CALL, msgpack.packb([n, ["get_queue", "e"], "get", [os.urandom(16), True], {}])
                )
                for n in range(1, 19_000)
            )
        )
    let_pass(HELD_SECONDS)  # all of them wait
    asks.call(["get_queue", "e"], "release", [os.urandom(16) for _ in range(10_000)])
    hangs_up.close()
    assert asks.call(["get_queue", "e"], "size")[0] == 0


def takes_all_names_and_lists_what_it_may_not_see(attack: Attack) -> None:
    client = attack.connect()
    calls = [client.post(["get_queue", f"{'x' * 200}{n}"], "make") for n in range(5_000)]
    calls += [client.post(["get_lock", f"{'x' * 200}{n}"], "state") for n in range(5_000)]
    for call in calls:
        client.answer(call)
    with Hostile(attack.target.master.port, attack.target.master.key("admin"), Role.ADMIN) as admin:
        key = admin.call(["get_keys"], "add", "viewer", ["none.*"], "bound")
    with Hostile(attack.target.master.port, key, Role.VIEWER) as viewer:
        calls = [viewer.post([target], "list") for target in ("get_queues", "get_locks") for _ in range(40)]
        for call in calls:
            viewer.answer(call)


def keeps_very_many_small_values(attack: Attack) -> None:
    client = attack.connect()
    for one in (b"\xd4\x01\x90", b"\xd4\x091", b"\xc7\x07\x0b\x92\xa4Path\xa0"):
        count = LARGE_BYTES // len(one) - 10
        payload = b"\x92\x91\xdd" + count.to_bytes(4, "big") + one * count + b"\x80"
        with pytest.raises(tq.InvalidArgument, match="half a second"):
            client.call(["get_datum", "list", "l"], "make", payload)


def fails_at_length_and_searches_for_it(attack: Attack) -> None:
    worker, child = attack.connect(), os.urandom(16)
    worker.call(DISPATCHER, "announce", {**WORKER, "tasks": ["a:fails"]}, [])
    ids = [new_ids() for _ in range(1_000)]
    worker.call(["get_task_queue", "f"], "submit", "a:fails", {}, [[id, b""] for id in ids], child=child)
    body = Failure("E", "m" * 8_000, "t" * 60_000).encode()
    left = len(ids)
    while left:
        lease, [[_, _, _, tasks]] = worker.call(DISPATCHER, "lease", 100)
        worker.call(DISPATCHER, "finish", [[t[0], t[1], lease, 1, body, 0.0, 0.0, None] for t in tasks])
        left -= len(tasks)
    calls = [worker.post(TASK_LIST, "select", {"text": "nothing"}, 0, child=child) for _ in range(50)]
    for call in calls:
        assert worker.answer(call)["states"] == []


def is_workers_of_many_kinds_for_very_many_names(attack: Attack) -> None:
    worker, child = attack.connect(), os.urandom(16)
    worker.call(DISPATCHER, "announce", WORKER, [])
    calls = [
        worker.post(["get_task_queue", "r"], "submit", f"m:f{n}", {}, [], child=child) for n in range(5_000)
    ]
    for call in calls:
        worker.answer(call)
    with pytest.raises(QuotaExceeded, match="100,000 pairs of a task name"):  # noqa: PT012 - one of them is
        for n in range(40):
            kind = attack.connect()
            kind.call(DISPATCHER, "announce", {**WORKER, "tasks": [], "allow": ["m.*", f"x{n}"]}, [])
            kind.post(DISPATCHER, "lease", 1)
    for _ in range(100):
        worker.call(TASK_LIST, "states", [], child=child)


def cancels_again_and_again_and_never_asks_for_orders(attack: Attack) -> None:
    worker, child = attack.connect(), os.urandom(16)
    worker.call(DISPATCHER, "announce", {**WORKER, "tasks": ["a:long"]}, [])
    ids = [new_ids() for _ in range(2_000)]
    worker.call(["get_task_queue", "o"], "submit", "a:long", {}, [[id, b""] for id in ids], child=child)
    worker.call(DISPATCHER, "lease", 2_000)
    for _ in range(20):
        worker.call(TASK_LIST, "cancel", ids, True, child=child)


ATTACKS = [
    (asks_for_lists_and_does_not_read_them, Role.VIEWER),
    (sends_a_message_of_sixteen_million_lists, Role.VIEWER),
    (sends_messages_of_as_many_lists_as_may_be, Role.VIEWER),
    (parks_calls_with_garbage, Role.CLIENT),
    (parks_puts_until_one_is_refused, Role.CLIENT),
    (takes_large_answers_on_many_connections_and_does_not_read_them, Role.VIEWER),
    (sends_halves_of_long_messages_on_many_connections, Role.VIEWER),
    (watches_unknown_tasks, Role.CLIENT),
    (floods_with_pings_and_nonsense, Role.VIEWER),
    (says_too_much_of_itself, Role.WORKER),
    (begins_unknown_tasks_and_has_very_many_children, Role.WORKER),
    (looks_for_what_is_not_there, Role.VIEWER),
    (releases_what_others_wait_for_and_hangs_up, Role.CLIENT),
    (takes_all_names_and_lists_what_it_may_not_see, Role.CLIENT),
    (keeps_very_many_small_values, Role.CLIENT),
    (fails_at_length_and_searches_for_it, Role.WORKER),
    (is_workers_of_many_kinds_for_very_many_names, Role.WORKER),
    (cancels_again_and_again_and_never_asks_for_orders, Role.WORKER),
]


class Neighbour(threading.Thread):
    """A client with a key of its own, who asks all the time; and how much memory the master has meanwhile."""

    def __init__(self, master: Master) -> None:
        super().__init__()
        self._process = psutil.Process(master.pid)
        self._client = Hostile(master.port, master.key("client"))
        self._over = threading.Event()
        self.rest = self.peak = self._process.memory_info().rss
        self.round_trips: list[float] = []

    def run(self) -> None:
        with self._client:
            while not self._over.wait(PAUSE_SECONDS):
                began, used = time.monotonic(), self._processor_seconds()
                self._client.call(["get_master"], "info")
                waited = time.monotonic() - began
                # On a machine that is busy with other things, too: what the master did meanwhile.
                self.round_trips.append(min(waited, self._processor_seconds() - used))
                self.peak = max(self.peak, self._process.memory_info().rss)

    def _processor_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def ends(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("attack", "role"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_whatever_one_key_does_others_are_served_and_memory_has_a_bound(
    target: Target, attack: Callable[[Attack], None], role: Role
) -> None:
    neighbour = Neighbour(target.master)
    neighbour.start()
    hostile = Attack(target, role)
    try:
        attack(hostile)
        with tq.App(target.master.url, target.master.key("client"), connect_timeout=5.0) as newcomer:
            assert isinstance(newcomer.call(["get_master"], "info"), dict)
    finally:
        neighbour.ends()
        hostile.close()
    slowest = sorted(neighbour.round_trips)[int(len(neighbour.round_trips) * 0.99)]
    assert slowest < ROUND_TRIP_SECONDS_MAX
    assert (neighbour.peak - neighbour.rest) // MIB < MEMORY_BYTES_MAX // MIB
    assert "master.bug" not in target.master.log
    assert "Traceback" not in target.master.log


def test_operators_see_workers_and_queues_whatever_a_worker_says_of_itself(target: Target) -> None:
    hostile = Attack(target, Role.WORKER)
    try:
        says_too_much_of_itself(hostile)
        with Hostile(target.master.port, target.master.key("worker"), Role.WORKER) as worker:
            worker.call(DISPATCHER, "announce", {**WORKER, "host": "honest", "tasks": ["good:task"]}, [])
            with tq.App(target.master.url, target.master.key("admin"), role="admin") as admin:
                rows = admin.call(["get_workers"], "list")
                shown = {row["host"]: row["tasks"] for row in rows}
                assert shown["honest"] == ["good:task"]
                assert "h" * 255 in shown
                snapshot = admin.call(["get_master"], "snapshot")
                assert "honest" in {row["host"] for row in snapshot["workers"]}
    finally:
        hostile.close()


def test_one_key_leaves_room_for_the_connections_of_others(
    xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    master = Master(xprocess, tmp_path_factory.mktemp("small"), authkey=None)
    master.command = ["/bin/sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *master.command]
    master.environment |= PATIENT
    with contextlib.ExitStack() as stack:
        stack.callback(master.end)
        master.start()
        hostile: list[Hostile] = []
        for _ in range(63):
            hostile.append(stack.enter_context(Hostile(master.port, master.key("client"))))
        with pytest.raises(
            QuotaExceeded, match="this key has 63 connections; at most 63, so that others find"
        ):
            Hostile(master.port, master.key("client"))
        with tq.App(master.url, master.key("admin"), role="admin", connect_timeout=5.0) as other:
            other.call(["get_master"], "info")
            for one in hostile:
                one.close()
            eventually(lambda: other.call(["get_master"], "info")["sessions"] == 1)
        stack.enter_context(Hostile(master.port, master.key("client")))
