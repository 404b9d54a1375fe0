"""Content in, out and gone: the promise case by case, and what hostile or unlucky senders come to."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import InvalidArgument, QuotaExceeded, StoreError, TqError, UnknownBlob
from tq.common.values.blob import BLOB_BYTES_MAX, Blob
from tq.common.values.failure import Failure
from tq.master.blobs import blobs, uploads
from tq.master.blobs.blobs import CHUNK_BYTES_MAX, COLLECT_BLOBS_MAX, KEEP_MS, Blobs
from tq.master.engine.accounts import LIMITS, Account, Resource

from ..conftest import OpenKept
from .conftest import BlobBench

HOUR = KEEP_MS / 1000 + 20
DATA = bytes(range(100))


def submit(bench: BlobBench, client: Any, *blobs: Blob, id: bytes | None = None) -> bytes:
    id = id or new_ids()
    named = [[id, [blob.digest for blob in blobs]]]
    client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"payload"]], None, named)
    return id


def finish(bench: BlobBench, worker: Any, *blobs: Blob) -> bytes:
    """Lease a task and report a result that names content; the id."""
    lease, [[_, _, _, [[id, attempt, _]]]] = worker.call("get_dispatcher", "lease", 1)
    row = [id, attempt, lease, int(OutcomeNumber.SUCCESS), b"result", 0.0, 0.1, None]
    worker.call("get_dispatcher", "finish", [row], [[0, [blob.digest for blob in blobs]]])
    return bytes(id)


def state(client: Any, id: bytes) -> StateNumber:
    return StateNumber(client.call("get_tasks", "states", [id])[0][1])


# in and out


@pytest.mark.parametrize("chunk", [1, 33, 99, 100])
def test_content_comes_back_as_it_went_in(bench: BlobBench, chunk: int) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA, chunk)
    assert bench.content(blob) == DATA
    pieces = [bench.ask_blobs(client, "get", blob.digest, at, 25) for at in range(0, 100, 25)]
    assert b"".join(pieces) == DATA


def test_content_that_is_there_costs_one_question(bench: BlobBench) -> None:
    blob = bench.upload(bench.client(), DATA)
    assert bench.ask_blobs(bench.client(), "ask", blob.digest, blob.size) == blob.size


def test_a_chunk_of_what_is_there_is_answered_as_the_last_one_is(bench: BlobBench) -> None:
    blob = bench.upload(bench.client(), DATA)
    assert bench.ask_blobs(bench.client(), "put", blob.digest, 100, 0, DATA[:10]) == 100


def test_an_upload_goes_on_on_the_next_connection_of_its_client(bench: BlobBench) -> None:
    blob, node = Blob.of(DATA), new_ids()
    first, second = bench.client(), bench.client()
    first.session.node = second.session.node = node
    bench.ask_blobs(first, "put", blob.digest, 100, 0, DATA[:60])
    first.close()
    assert bench.ask_blobs(second, "ask", blob.digest, 100) == 60
    assert bench.ask_blobs(second, "put", blob.digest, 100, 60, DATA[60:]) == 100
    assert bench.content(blob) == DATA


def test_no_client_can_corrupt_the_upload_of_another(bench: BlobBench) -> None:
    blob, good, bad = Blob.of(DATA), bench.client(), bench.client()
    bench.ask_blobs(bad, "put", blob.digest, 100, 0, b"x" * 60)
    assert bench.ask_blobs(good, "ask", blob.digest, 100) == 0
    bench.upload(good, DATA)
    assert bench.content(blob) == DATA
    assert bench.ask_blobs(bad, "put", blob.digest, 100, 60, b"x" * 39) == 99
    with pytest.raises(InvalidArgument, match="not the content"):
        bench.ask_blobs(bad, "put", blob.digest, 100, 99, b"x")
    assert bench.content(blob) == DATA


# hostile and unlucky senders


@pytest.mark.parametrize("offset", [0, 5, 15, 80], ids=["again", "overlapping", "a gap", "far ahead"])
def test_a_chunk_out_of_order_is_refused_with_the_offset_to_continue_from(
    bench: BlobBench, offset: int
) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    bench.ask_blobs(client, "put", blob.digest, 100, 0, DATA[:10])
    assert bench.ask_blobs(client, "put", blob.digest, 100, offset, b"x" * 10) == 10
    assert bench.ask_blobs(client, "put", blob.digest, 100, 10, DATA[10:]) == 100
    assert bench.content(blob) == DATA


def test_an_upload_that_does_not_exist_starts_at_its_first_byte(bench: BlobBench) -> None:
    assert bench.ask_blobs(bench.client(), "put", Blob.of(DATA).digest, 100, 50, DATA[50:]) == 0


def test_content_of_another_hash_is_refused_and_leaves_nothing(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    with pytest.raises(InvalidArgument, match=f"not the content of {blob.hash}"):
        bench.ask_blobs(client, "put", blob.digest, 100, 0, b"x" * 100)
    bench.settle()
    assert bench.content(blob) is None
    assert not list((bench.files.root / "uploads").iterdir())
    bench.upload(client, DATA)


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("put", (b"short", 100, 0, b"x")),
        ("put", ("text", 100, 0, b"x")),
        ("put", (b"h" * 32, 0, 0, b"")),
        ("put", (b"h" * 32, 100, 0, b"")),
        ("put", (b"h" * 32, 100, 0, "text")),
        ("put", (b"h" * 32, 100, 0, b"x" * 101)),
        ("put", (b"h" * 32, 100, 91, b"x" * 10)),
        ("put", (b"h" * 32, 100, -1, b"x")),
        ("put", (b"h" * 32, 100, True, b"x")),
        ("put", (b"h" * 32, 2**70, 0, b"x")),
        ("put", (b"h" * 32, BLOB_BYTES_MAX + 1, 0, b"x")),
        ("put", (b"h" * 32, BLOB_BYTES_MAX, 0, b"x" * (CHUNK_BYTES_MAX + 1))),
        ("ask", (b"h" * 31, 100)),
        ("ask", (b"h" * 32, 1.5)),
        ("ask", ([], {})),
        ("get", (b"h" * 33, 0, 1)),
    ],
)
def test_what_makes_no_sense_is_refused(bench: BlobBench, method: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument):
        bench.ask_blobs(bench.client(), method, *args)
    assert not list((bench.files.root / "uploads").iterdir())


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 101), (100, 1), (-1, 1), (0, 0), (0, "x"), (None, 1), (0, 2**70)]
)
def test_only_what_is_in_the_content_can_be_read(bench: BlobBench, offset: Any, length: Any) -> None:
    blob = bench.upload(bench.client(), DATA)
    with pytest.raises(InvalidArgument, match="must be a whole number"):
        bench.ask_blobs(bench.client(), "get", blob.digest, offset, length)


AWKWARD = [None, True, -1, 2**63, 1.5, float("nan"), "", b"", b"x" * 33, [], [[]], {}, {"x": 1}]


@pytest.mark.parametrize("method", ["ask", "put", "get"])
def test_no_argument_of_any_kind_disturbs_the_others(bench: BlobBench, method: str) -> None:
    client, blob = bench.client(), bench.upload(bench.client(), DATA)
    good: list[Any] = {
        "ask": [blob.digest, 100],
        "put": [b"h" * 32, 100, 0, b"x"],
        "get": [blob.digest, 0, 100],
    }[method]
    for place in range(len(good)):
        for awkward in AWKWARD:
            with suppress(TqError):
                bench.ask_blobs(client, method, *good[:place], awkward, *good[place + 1 :])
    assert not [action for action, _ in bench.reports if action in ("master.bug", "store.failed")]
    assert bench.ask_blobs(client, "get", blob.digest, 0, 100) == DATA


def test_content_that_was_never_sent_is_unknown(bench: BlobBench) -> None:
    with pytest.raises(UnknownBlob, match="does not have blob"):
        bench.ask_blobs(bench.client(), "get", b"h" * 32, 0, 1)


def test_the_size_cannot_change_on_the_way_nor_afterwards(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    bench.ask_blobs(client, "put", blob.digest, 100, 0, DATA[:10])
    with pytest.raises(InvalidArgument, match="announced with 100 bytes, not 50"):
        bench.ask_blobs(client, "put", blob.digest, 50, 10, DATA[:10])
    bench.upload(bench.client(), DATA)
    with pytest.raises(InvalidArgument, match="has 100 bytes, not 50"):
        bench.ask_blobs(bench.client(), "ask", blob.digest, 50)


@pytest.mark.parametrize(("limit", "mine"), [("UPLOADS_MAX", False), ("UPLOADS_PER_CLIENT_MAX", True)])
def test_uploads_are_bounded_for_one_client_and_for_all(
    bench: BlobBench, monkeypatch: pytest.MonkeyPatch, limit: str, mine: bool
) -> None:
    monkeypatch.setattr(uploads, limit, 3)
    clients = [bench.client()] * 4 if mine else [bench.client() for _ in range(4)]
    for number, client in enumerate(clients[:3]):
        assert bench.ask_blobs(client, "put", bytes([number]) * 32, 100, 0, b"x") == 1
    with pytest.raises(InvalidArgument, match="3 uploads are under way"):
        bench.ask_blobs(clients[3], "put", b"h" * 32, 100, 0, b"x")


def test_what_no_task_names_is_bounded_for_each_client(
    bench: BlobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UNNAMED_BYTES_MAX", 250)
    client = bench.client()
    blobs = [bench.upload(client, bytes([number]) * 100) for number in range(2)]
    with pytest.raises(InvalidArgument, match="sent 200 bytes that no task names yet, and 100 more"):
        bench.upload(client, b"y" * 100)
    bench.upload(bench.client(), b"y" * 100)
    submit(bench, client, blobs[0])
    bench.upload(client, b"z" * 100)


def test_a_key_does_not_have_more_places_for_letting_in_more_clients(
    bench: BlobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, Resource.UPLOADS, LIMITS[Resource.UPLOADS]._replace(key=3))
    account, everybody = Account(Account()), Account()
    clients = [bench.client() for _ in range(4)]
    for client in clients:
        client.session.account = account
    for number, client in enumerate(clients[:3]):
        bench.ask_blobs(client, "put", bytes([number]) * 32, 100, 0, b"x")
    with pytest.raises(QuotaExceeded, match="this key has 3 uploads under way; at most 3"):
        bench.ask_blobs(clients[3], "put", b"h" * 32, 100, 0, b"x")
    other = bench.client()
    other.session.account = Account(everybody)
    assert bench.upload(other, DATA).size == 100
    assert everybody.held[Resource.UPLOADS] == 0  # it has ended
    clients[0].close()  # an upload outlives its connection
    with pytest.raises(InvalidArgument, match="not the content"):
        bench.ask_blobs(clients[1], "put", bytes([1]) * 32, 100, 1, b"x" * 99)
    assert bench.ask_blobs(clients[3], "put", b"h" * 32, 100, 0, b"x") == 1


def test_what_no_task_names_is_bounded_for_all_clients_of_a_key(
    bench: BlobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UNNAMED_BYTES_OF_KEY_MAX", 250)
    first, second, third = bench.client(), bench.client(), bench.client()
    blob = bench.upload(first, b"a" * 100)
    bench.upload(second, b"b" * 100)
    with pytest.raises(
        InvalidArgument, match="the clients of this key have sent 200 bytes that no task names"
    ):
        bench.upload(third, b"c" * 100)
    submit(bench, first, blob)
    bench.upload(third, b"c" * 100)


def test_chunks_the_disk_cannot_follow_are_not_taken(
    bench: BlobBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "WAITING_BYTES_MAX", 50)
    client, blob = bench.client(), Blob.of(DATA)
    calls = [
        client.ask("get_blobs", "put", blob.digest, 100, at, DATA[at : at + 20]) for at in range(0, 100, 20)
    ]
    bench.step()
    assert [client.answer(call) for call in calls[2:]] == [40, 40, 40]
    bench.settle()
    assert [client.answer(call) for call in calls[:2]] == [20, 40]
    for at in range(40, 100, 20):
        bench.ask_blobs(client, "put", blob.digest, 100, at, DATA[at : at + 20])
    assert bench.content(blob) == DATA


def test_a_last_chunk_that_is_repeated_waits_for_the_verdict_like_the_first(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    calls = [client.ask("get_blobs", "put", blob.digest, 100, 0, DATA) for _ in range(3)]
    bench.settle()
    assert [client.answer(call) for call in calls] == [100, 100, 100]
    calls = [client.ask("get_blobs", "put", b"h" * 32, 100, 0, DATA) for _ in range(3)]
    bench.settle()
    for call in calls:
        with pytest.raises(InvalidArgument, match="not the content"):
            client.answer(call)


def test_an_upload_that_stands_still_is_given_up(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    bench.ask_blobs(client, "put", blob.digest, 100, 0, DATA[:50])
    bench.advance(uploads.UPLOAD_IDLE_MS / 1000 + 20)
    bench.settle()
    assert not list((bench.files.root / "uploads").iterdir())
    assert bench.ask_blobs(client, "put", blob.digest, 100, 50, DATA[50:]) == 0


# the disk


def test_a_disk_without_room_says_how_much_there_is_and_takes_nothing(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    bench.fill_disk(left=99)
    with pytest.raises(
        StoreError, match="the disk of the master has 99 bytes left for blobs, 100 are needed"
    ):
        bench.ask_blobs(client, "put", blob.digest, 100, 0, DATA)
    bench.settle()
    assert not list((bench.files.root / "uploads").iterdir())
    bench.fill_disk(left=100)
    bench.upload(client, DATA)


def test_room_that_is_promised_to_one_upload_is_not_given_to_another(bench: BlobBench) -> None:
    bench.fill_disk(left=150)
    bench.ask_blobs(bench.client(), "put", Blob.of(DATA).digest, 100, 0, DATA[:1])
    with pytest.raises(StoreError, match="199 are needed"):
        bench.ask_blobs(bench.client(), "put", b"h" * 32, 100, 0, b"x")


def test_every_call_of_an_upload_that_fails_is_answered(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    bench.fill_disk(left=0)
    calls = [
        client.ask("get_blobs", "put", blob.digest, 100, at, DATA[at : at + 25]) for at in range(0, 100, 25)
    ]
    bench.settle()
    for call in calls:
        with pytest.raises(StoreError):
            client.answer(call)
    bench.fill_disk(left=100)
    bench.upload(client, DATA)


@pytest.mark.parametrize("how", ["shorter", "gone"])
def test_a_damaged_file_is_reported_not_served_and_uploaded_again(bench: BlobBench, how: str) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA)
    path = bench.files.path(blob.digest)
    os.truncate(path, 40) if how == "shorter" else path.unlink()
    with pytest.raises(TqError, match=r"(has 40 of 100 bytes|is missing) on the disk of the master; submit"):
        bench.ask_blobs(client, "get", blob.digest, 0, 10)
    assert bench.ask_blobs(client, "ask", blob.digest, 100) == 0
    assert "blob.damaged" in [action for action, _ in bench.reports]
    bench.upload(client, DATA)
    assert bench.ask_blobs(client, "get", blob.digest, 0, 100) == DATA


def test_who_waits_is_answered_when_the_store_fails(bench: BlobBench) -> None:
    client, blob = bench.client(), Blob.of(DATA)
    call = client.ask("get_blobs", "put", blob.digest, 100, 0, DATA)
    bench.step()
    bench.disk.work()

    def broken() -> None:
        raise StoreError("the store says: disk I/O error")

    bench.step(commit=broken)
    with pytest.raises(StoreError):
        client.answer(call)
    again = bench.client()
    assert bench.ask_blobs(again, "ask", blob.digest, 100) == 0
    bench.upload(again, DATA)
    assert bench.content(blob) == DATA


# tasks that name it


def test_what_a_task_names_stays_as_long_as_the_task(make_purged: Any, bench: BlobBench) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA)
    first, second = submit(bench, client, blob), submit(bench, client, blob)
    bench.advance(2 * HOUR)
    bench.settle()
    assert bench.content(blob) == DATA
    for id, left in ((first, DATA), (second, None)):
        make_purged(id)
        bench.advance(60)
        bench.settle()
        assert bench.content(blob) == left


def test_a_submit_that_names_what_is_not_here_is_refused_whole(bench: BlobBench) -> None:
    client, id = bench.client(), new_ids()
    with pytest.raises(UnknownBlob, match="create it again with tq"):
        submit(bench, client, Blob.of(b"never sent"), id=id)
    assert client.call("get_tasks", "states", [id]) == [[id, -1]]


@pytest.mark.parametrize(
    "named",
    [
        3,
        [3],
        [[b"id"]],
        [[b"id", b"hash"]],
        [[b"id", [b"short"]]],
        [["id", [b"h" * 32]]],
        [[b"i", [b"h" * 32] * 10_001]],
    ],
)
def test_names_of_another_form_are_refused(bench: BlobBench, named: Any) -> None:
    with pytest.raises(InvalidArgument, match="blobs must be a list"):
        bench.client().call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]], None, named)


def test_the_same_submit_again_names_the_same_content_once(make_purged: Any, bench: BlobBench) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA)
    id = submit(bench, client, blob, blob)
    submit(bench, client, blob, id=id)
    assert bench.engine.store.blobs.find(blob.digest).refs == 1  # type: ignore[union-attr]
    make_purged(id)
    assert bench.engine.store.blobs.find(blob.digest).refs == 0  # type: ignore[union-attr]


def test_a_task_handed_over_at_once_names_its_content_too(bench: BlobBench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    worker.ask("get_dispatcher", "lease", 1)
    blob = bench.upload(client, DATA)
    submit(bench, client, blob)
    assert bench.engine.store.blobs.find(blob.digest).refs == 1  # type: ignore[union-attr]


def test_a_result_names_content_from_the_moment_it_is_accepted(make_purged: Any, bench: BlobBench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    id = submit(bench, client)
    blob = bench.upload(worker_as_client(bench), DATA)
    finish(bench, worker, blob)
    assert state(client, id) == StateNumber.SUCCEEDED
    bench.advance(2 * HOUR)
    bench.settle()
    assert bench.content(blob) == DATA
    make_purged(id)
    bench.advance(60)
    bench.settle()
    assert bench.content(blob) is None


def worker_as_client(bench: BlobBench) -> Any:
    """A child's calls are relayed and judged as a client's."""
    return bench.client()


def test_a_result_that_names_what_is_not_here_is_a_failure_that_says_so(bench: BlobBench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    id = submit(bench, client)
    finish(bench, worker, Blob.of(b"never sent"))
    assert state(client, id) == StateNumber.FAILED
    failure = Failure.decode(client.call("get_tasks", "show", id)["result"])
    assert failure.type == "UnknownBlob"


def test_content_of_a_result_that_came_too_late_is_forgotten_in_time(bench: BlobBench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(bench, client)
    blob = bench.upload(client, DATA)
    lease, [[_, _, _, [[id, attempt, _]]]] = worker.call("get_dispatcher", "lease", 1)
    worker.call("get_dispatcher", "release", [[id, attempt, lease]])
    worker.call("get_dispatcher", "lease", 1)
    row = [id, attempt, lease, int(OutcomeNumber.SUCCESS), b"result", 0.0, 0.1, None]
    assert worker.call("get_dispatcher", "finish", [row], [[0, [blob.digest]]]) == [0]
    bench.advance(HOUR)
    bench.settle()
    assert bench.content(blob) is None


def test_what_was_asked_for_stays_for_an_hour_from_then(bench: BlobBench) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA)
    bench.advance(HOUR - 120)
    assert bench.ask_blobs(client, "ask", blob.digest, 100) == 100
    bench.advance(HOUR - 120)
    bench.settle()
    submit(bench, client, blob)
    assert bench.content(blob) == DATA


# forgetting


def test_content_without_references_is_deleted_in_portions(bench: BlobBench) -> None:
    client = bench.client()
    blobs = [bench.upload(client, number.to_bytes(2, "big")) for number in range(COLLECT_BLOBS_MAX + 1)]
    bench.now = bench.now._replace(wall=bench.now.wall + KEEP_MS, mono=bench.now.mono + KEEP_MS)
    bench.step()
    bench.disk.work()
    assert sum(bench.content(blob) is not None for blob in blobs) == 1
    bench.advance(60)
    bench.settle()
    assert not any(map(bench.content, blobs))


def test_a_file_goes_only_after_the_deletion_of_its_row_is_committed(bench: BlobBench) -> None:
    blob = bench.upload(bench.client(), DATA)
    bench.now = bench.now._replace(wall=bench.now.wall + KEEP_MS, mono=bench.now.mono + KEEP_MS)

    def broken() -> None:
        raise StoreError("the store says: disk I/O error")

    bench.step(commit=broken)
    bench.disk.work()
    assert bench.content(blob) == DATA
    bench.advance(60)
    bench.settle()
    assert bench.content(blob) is None


def test_content_that_is_sent_again_while_it_is_deleted_stays(bench: BlobBench) -> None:
    """Its row is deleted in the very transaction that puts it back; the old file's removal must not hit the new one."""
    client = bench.client()
    blob = bench.upload(client, DATA)
    bench.engine.part(Blobs)._damaged.add(blob.digest)  # so that it is taken in again
    call = client.ask("get_blobs", "put", blob.digest, 100, 0, DATA)
    bench.step()
    bench.disk.work()
    bench.now = bench.now._replace(wall=bench.now.wall + KEEP_MS, mono=bench.now.mono + KEEP_MS)
    bench.settle()
    assert client.answer(call) == 100
    assert bench.content(blob) == DATA
    assert bench.ask_blobs(client, "ask", blob.digest, 100) == 100


def test_a_restarted_master_has_what_was_whole_and_drops_the_rest(
    bench: BlobBench, open_kept: OpenKept, tmp_path: Path
) -> None:
    client = bench.client()
    whole, half, orphan = bench.upload(client, DATA), Blob.of(b"x" * 100), Blob.of(b"orphan")
    bench.ask_blobs(client, "put", half.digest, 100, 0, b"x" * 50)
    path = bench.files.path(orphan.digest)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"orphan")
    stranger = path.with_name("notes.txt")
    stranger.touch()
    bench.engine.store.close()

    again = BlobBench(open_kept(), tmp_path / "blobs")
    again.settle()
    assert (again.content(whole), again.content(orphan)) == (DATA, None)
    assert stranger.exists()
    assert not list((again.files.root / "uploads").iterdir())
    assert again.ask_blobs(again.client(), "ask", half.digest, 100) == 0
    again.engine.store.close()


# reading


def test_who_does_not_read_is_not_read_for_and_others_are(bench: BlobBench) -> None:
    deaf, good = bench.client(), bench.client()
    blob = bench.upload(good, DATA)
    deaf.unsent = 2**30
    call = deaf.ask("get_blobs", "get", blob.digest, 0, 100)
    assert bench.ask_blobs(good, "get", blob.digest, 0, 100) == DATA
    bench.settle()
    assert call not in deaf.answers
    wakeup = bench.engine.next_wakeup()
    assert wakeup is not None
    assert wakeup <= bench.now.mono + 10
    deaf.unsent = 0
    bench.settle()
    assert deaf.answer(call) == DATA


def test_reads_take_turns_and_a_few_are_under_way(bench: BlobBench) -> None:
    greedy, modest = bench.client(), bench.client()
    blob = bench.upload(modest, DATA)
    calls = [greedy.ask("get_blobs", "get", blob.digest, 0, 100) for _ in range(50)]
    bench.step()
    assert len(bench.disk.jobs) == 2
    modest.ask("get_blobs", "get", blob.digest, 0, 1)
    bench.step()
    assert len(bench.disk.jobs) == 3
    bench.settle()
    assert all(greedy.answer(call) == DATA for call in calls)


def test_reads_of_a_connection_that_is_gone_are_forgotten(bench: BlobBench) -> None:
    client = bench.client()
    blob = bench.upload(client, DATA)
    for _ in range(10):
        client.ask("get_blobs", "get", blob.digest, 0, 100)
    bench.step()
    client.close()
    bench.settle()
    assert not bench.engine.part(Blobs)._reads._waiting
    assert not bench.engine.part(Blobs)._reads._under_way


def test_a_master_without_blobs_says_so(make_bench: Any) -> None:
    with pytest.raises(InvalidArgument, match="keeps no blobs"):
        make_bench().client().call("get_blobs", "ask", b"h" * 32, 100)


@pytest.fixture
def make_purged(bench: BlobBench) -> Any:
    """End a task and have it forgotten, as its time to live does."""

    def purge(id: bytes) -> None:
        store = bench.engine.store
        bench.client().call("get_tasks", "cancel", [id])
        store.begin()
        [found] = store.find([id])
        store.delete([found.seq])
        store.commit()

    return purge
