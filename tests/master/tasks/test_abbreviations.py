"""Ids shortened as git's are: how many digits are needed, what a beginning means, and what a key does not learn of others."""

from __future__ import annotations

import pytest
from tq.common.domain.ids import id_behind
from tq.common.errors import InvalidArgument
from tq.master.tasks import abbreviations as shipped

from ..conftest import Bench, Peer


def id_of(digits: str) -> bytes:
    return bytes.fromhex(digits.ljust(32, "0"))


def submit(bench: Bench, *ids: bytes, queue: str = "q", size: int = 1) -> None:
    for id in ids:
        tasks = [[id_behind(id, place), b""] for place in range(size)]
        bench.client().call(f"get_task_queue/{queue}", "submit", "m:f", {}, tasks)


def meant(peer: Peer, prefix: str, tail: str = "") -> list[tuple[bytes, int]]:
    answer = peer.call("get_tasks", "meant", prefix, tail)
    return [(row["id"], row["tasks"]) for row in answer["rows"]]


def shorts(peer: Peer) -> list[str | int]:
    """Of tasks their short ids, of arrays as many digits as tell them."""
    rows = peer.call("get_tasks", "lines", {})["rows"]
    return [row["digits"] if "tasks" in row else row["short"] for row in rows]


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client()


def test_a_beginning_means_the_task_or_the_array_that_has_it(bench: Bench, client: Peer) -> None:
    alone, array = id_of("019300a17c3e7"), id_of("019300a17c3f7")
    submit(bench, alone)
    submit(bench, array, size=300)
    assert meant(client, "019300a17c3e") == [(alone, 1)]
    assert meant(client, "019300a17c3f") == [(array, 300)]
    assert meant(client, "019300a17c3") == [(alone, 1), (array, 300)]
    assert meant(client, "0194") == []
    assert client.call("get_tasks", "meant", "019300a17c3e")["rows"][0]["name"] == "m:f"


def test_calls_of_one_map_are_one_array_and_those_of_two_are_two(bench: Bench, client: Peer) -> None:
    first, other = id_of("019300a17c3f7"), id_of("019300a17c3f8")
    submit(bench, first, id_behind(first, 20), size=20)
    submit(bench, other, size=5)
    assert meant(client, "019300a17c3f") == [(first, 40), (other, 5)]


def test_digits_that_only_some_tasks_of_an_array_have_mean_these(bench: Bench, client: Peer) -> None:
    first = id_of("019300a17c3f7")
    submit(bench, first, size=40)
    assert meant(client, first.hex()[:30]) == [(first, 40)], "all of them"
    assert meant(client, first.hex()[:31]) == [(id_behind(first, place), 1) for place in range(8)]
    assert meant(client, id_behind(first, 39).hex()) == [(id_behind(first, 39), 1)]


def test_a_task_that_left_its_array_is_one_of_the_array_still(bench: Bench, client: Peer) -> None:
    first = id_of("019300a17c3f7")
    submit(bench, first, size=40)
    client.call("get_tasks", "cancel", [id_behind(first, place) for place in range(5, 9)])
    assert meant(client, "019300a17c3f") == [(first, 40)]


def test_no_more_candidates_are_answered_than_a_person_reads(bench: Bench, client: Peer) -> None:
    submit(bench, *(id_of(f"019300a17c3{n:x}") for n in range(16)))
    answer = client.call("get_tasks", "meant", "0193")
    assert (len(answer["rows"]), answer["more"]) == (shipped.CANDIDATES_MAX, True)


@pytest.mark.parametrize("prefix", ["", "019", "x" * 8, "0193-00", "0" * 33, "0193 "])
def test_what_is_no_beginning_is_refused(client: Peer, prefix: str) -> None:
    with pytest.raises(InvalidArgument):
        client.call("get_tasks", "meant", prefix)


def test_as_much_is_shown_as_tells_an_id_from_its_neighbours(bench: Bench, client: Peer) -> None:
    submit(bench, id_of("0193aaaaaaaaa1"))
    submit(bench, id_of("0193aaaaaaaaa7"), size=30)
    submit(bench, id_of("0194"))
    assert shorts(client) == ["01940000-0000", 14, "0193aaaa-aaaa-a1"]
    assert meant(client, "0193aaaaaaaaa1") == [(id_of("0193aaaaaaaaa1"), 1)]
    assert meant(client, "0193aaaaaaaaa7") == [(id_of("0193aaaaaaaaa7"), 30)]


def test_tasks_whose_ids_begin_alike_are_distinguished_by_their_ends(bench: Bench, client: Peer) -> None:
    first = id_of("0193aaaaaaaa7")
    ids = [id_behind(first, place) for place in range(0xFFFE, 0x10002)]
    submit(bench, *ids)
    assert shorts(client) == [f"0193aaaa-aaaa..{end}" for end in ("0001", "0000", "ffff", "fffe")]
    for id in ids:
        assert meant(client, "0193aaaaaaaa", id.hex()[-4:]) == [(id, 1)]
    again = id_behind(first, 0x1FFFF)
    submit(bench, again)
    assert shorts(client)[0] == "0193aaaa-aaaa..0001ffff"
    assert meant(client, "0193aaaaaaaa", "ffff") == [(ids[1], 1), (again, 1)]
    assert meant(client, "0193aaaaaaaa", "1234") == []


def test_an_end_names_a_task_of_an_array(bench: Bench, client: Peer) -> None:
    first = id_of("0193aaaaaaaa7")
    submit(bench, first, size=300)
    assert meant(client, "0193aaaa", "0012b") == [(id_behind(first, 0x12B), 1)]
    assert meant(client, "0193aaaa", "0012c") == [], "behind the last one"


def test_a_key_learns_nothing_of_other_queues(
    bench: Bench, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "PASSED_MAX", 3)
    theirs = bench.client(queues=("gpu",))
    own = id_of("0193aaaaaaaaaaaa1")
    submit(bench, own, queue="gpu")
    submit(bench, id_of("0193aaaaaaaaaaaa7"), size=30)
    assert meant(theirs, "0193") == [(own, 1)]
    assert meant(theirs, "0193aaaaaaaaaaaa7") == []
    assert shorts(theirs) == ["0193aaaa-aaaa"], "as if it were alone"
    assert len(meant(client, "0193")) == 2


def test_what_cannot_be_known_to_be_the_only_one_means_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "PASSED_MAX", 3)
    monkeypatch.setattr(shipped, "READ_MAX", 3)
    monkeypatch.setattr(shipped, "ENDS_MAX", 3)
    theirs = bench.client(queues=("gpu",))
    submit(bench, id_of("0193aaaa1"), queue="gpu")
    submit(bench, *(id_of(f"0193aaaa{n:x}") for n in range(2, 8)))
    assert theirs.call("get_tasks", "meant", "0193") == {"rows": [], "more": True}
    assert meant(theirs, "0193aaaa1") == [(id_of("0193aaaa1"), 1)]
    assert shorts(theirs) == ["0193aaaa-1000..0000"], "its neighbours are not known to be others"
