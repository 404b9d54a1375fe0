"""Named dicts, lists, Namespaces, Values and Arrays: shared by all programs, also when some die, and each call done once."""

from __future__ import annotations

import signal
import threading
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tq
from tq.common.values.codec import encode, encode_call
from tq.managers import SyncManager

from .programs import Master, eventually
from .proxy import Proxy

SECONDS = 20
Connect = Callable[[str], Any]


@pytest.fixture
def connect(master: Master) -> Iterator[Connect]:
    managers: list[Any] = []

    def to(address: str) -> Any:
        host, _, port = address.rpartition(":")
        managers.append(SyncManager((host, int(port)), master.authkey))
        managers[-1].connect()
        return managers[-1]

    yield to
    for manager in managers:
        manager.app.close()


def test_what_has_a_name_is_the_same_for_every_program_and_is_as_the_types_are(
    master: Master, connect: Connect
) -> None:
    one, two = connect(master.address), connect(master.address)
    counts = one.dict({"a": 1}, b=2, name="counts")
    same = two.dict({"ignored": "it is there"}, name="counts")
    same["c", 1] = [3]
    assert (counts["c", 1], len(counts), list(counts), "a" in counts) == ([3], 3, ["a", "b", ("c", 1)], True)
    with pytest.raises(KeyError, match="nothing"):
        counts["nothing"]
    numbers = one.list([3, 1, 2], name="numbers")
    numbers += [5]
    numbers[0:1] = [9, 8]
    numbers.sort(reverse=True)
    assert (two.list(name="numbers")[:], numbers[-2:], numbers * 2) == (
        [9, 8, 5, 2, 1],
        [2, 1],
        [9, 8, 5, 2, 1] * 2,
    )
    space, value = one.Namespace(x=1, name="space"), one.Value("i", 1, name="value")
    space.y = two.Namespace(name="space").x + 1
    value.value += 1
    numbers_of_two = one.Array("i", [1, 2], name="array")
    numbers_of_two[1] = 7
    assert (space.y, two.Value("i", 0, name="value").value, two.Array("i", [], name="array")[:]) == (
        2,
        2,
        array("i", [1, 7]),
    )
    assert [str(value), str(space), str(counts)] == [
        "Value('i', 2)",
        "Namespace(x=1, y=2)",
        "{'a': 1, 'b': 2, ('c', 1): [3]}",
    ]
    assert repr(value).startswith("<ValueProxy object, typeid 'Value' at 0x")
    with pytest.raises(tq.InvalidArgument, match="'counts' is a dict already, not a list"):
        two.list(name="counts")


def test_it_is_there_after_its_programs_and_its_master_were_killed(master: Master, connect: Connect) -> None:
    maker = connect(master.address)
    counts = maker.dict(name="counts")
    counts["a"] = 1
    maker.app.close()
    user = connect(master.address)
    counts = user.dict(name="counts")
    counts["b"] = 2
    master.kill()
    master.restart()
    counts["c"] = 3
    assert counts.copy() == {"a": 1, "b": 2, "c": 3}


def test_every_call_is_done_once_over_lost_connections(
    master: Master, proxy: Proxy, connect: Connect
) -> None:
    numbers = connect(master.address).list(name="numbers")
    far = connect(proxy.address).list(name="numbers")
    count = 300

    def work() -> None:
        for number in range(count):
            far.append(number)

    thread = threading.Thread(target=work)
    thread.start()
    for reached in range(0, count, 25):
        eventually(lambda reached=reached: len(numbers) >= reached)  # type: ignore[misc]
        proxy.cut()
    thread.join(SECONDS)
    assert proxy.accepted > 5
    assert numbers[:] == list(range(count))


def test_threads_that_take_turns_through_one_proxy_lose_no_call(master: Master, connect: Connect) -> None:
    numbers = connect(master.address).list(name="numbers")
    threads = [threading.Thread(target=lambda: [numbers.append(1) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(numbers) == 400


def test_the_use_of_a_deleted_one_fails_with_that_reason(
    master: Master, connect: Connect, admin: tq.App
) -> None:
    counts = connect(master.address).dict(name="counts")
    counts["a"] = 1
    assert admin.object("get_data").delete("counts") == "dict"
    with pytest.raises(tq.UnknownObject, match="no value is named 'counts'"):
        counts["a"]
    assert connect(master.address).dict(name="counts").copy() == {}


def test_a_call_ends_when_the_master_stays_away(
    master: Master, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.client.core.session.MASTER_TIMEOUT_SECONDS", 0.3)
    counts = connect(master.address).dict(name="counts")
    master.signal(signal.SIGTERM)
    master.wait()
    with pytest.raises(tq.Unreachable, match=r"away for 0\.3 s"):
        counts["a"] = 1


def test_a_call_whose_answer_is_no_longer_known_fails_with_that_reason(
    master: Master, connect: Connect
) -> None:
    """And does not ask again and again: of a call that was lost with its connection, there would be no other sign."""
    manager = connect(master.address)
    numbers, target = manager.list(name="numbers"), ("get_datum", "list", "numbers")
    one, two = (
        manager.app.session.start_call(
            target, "call", b"c" * 16, number, "append", encode_call((number,), {}), []
        )
        for number in (2, 1)
    )
    assert one.result(SECONDS) == encode(["value", None])
    with pytest.raises(tq.RemoteError, match="this call took effect, but its answer was lost"):
        two.result(SECONDS)
    assert numbers[:] == [2]
