from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.flow import callback_id, keyed_flow_id
from tq.common.domain.ids import (
    BLOCK_IDS,
    BLOCK_SECONDS,
    COMPUTED,
    IdMaker,
    IdSource,
    consecutive_ids,
    id_of_moment,
    id_of_proof,
    key_id,
    new_ids,
    occurrence_id,
    parse_id,
    proofs,
    show_id,
)
from tq.common.domain.shards import SHARDS_MAX, shard_of_id
from tq.common.errors import InvalidArgument, NotSerializable

PLACES = 1 << 32


class Clocks:
    """The clocks of the module, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ms, self.seconds = 1_800_000_000_000, 0.0
        monkeypatch.setattr("tq.common.domain.ids.time.time_ns", lambda: self.ms * 1_000_000)

    def source(self, maker: IdMaker) -> IdSource:
        return IdSource(maker, lambda: self.seconds)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def number(id: bytes) -> int:
    return int.from_bytes(id, "big")


def shard(id: bytes) -> int:
    return number(id) >> 64 & 0xFFF


def drawn_in_child(source: IdSource) -> set[bytes]:
    """100 single ids and 100 of the source, drawn in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(
                writer,
                b"".join([*new_ids.many(50), *(source.take_one() for _ in range(100)), *new_ids.many(50)]),
            )
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    return {theirs[at : at + 16] for at in range(0, len(theirs), 16)}


def test_ids_are_version_7_uuids_in_strictly_increasing_order() -> None:
    ids = [*new_ids.many(5_000), *(new_ids() for _ in range(100)), *new_ids.many(10)]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(bytes=id).version for id in ids} == {7}
    assert {uuid.UUID(bytes=id).variant for id in ids} == {uuid.RFC_4122}


def test_the_time_in_an_id_is_that_of_its_block() -> None:
    before = time.time_ns() // 1_000_000
    ids = [IdMaker()(), IdSource(IdMaker()).take_one()]
    after = time.time_ns() // 1_000_000
    assert all(before <= number(id) >> 80 <= after for id in ids)


def test_ids_of_all_makes_keep_the_bits_of_the_shard_free() -> None:
    ids = [
        *new_ids.many(100),
        *consecutive_ids(IdSource().take(100), 100),
        id_of_moment(1, lambda n: b"\xff" * n),
    ]
    ids += [key_id("q", "m:f", str(key)) for key in range(100)]
    assert {shard(id) for id in ids} == {0}


@given(st.lists(st.sampled_from([1, 2, 1_000, BLOCK_IDS]), max_size=20), st.randoms(use_true_random=False))
def test_blocks_grow_and_their_ids_differ_in_the_last_32_bits_alone(sizes: list[int], chance: object) -> None:
    """Whatever is drawn by chance, and though all of it happens within a few milliseconds."""
    maker, end = IdMaker(), 0
    for size in sizes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tq.common.domain.ids.os.urandom", chance.randbytes)  # type: ignore[attr-defined]
            first = maker.block(size)
        last = first + size - 1
        assert end < first
        assert first // PLACES == last // PLACES
        assert uuid.UUID(int=first).version == uuid.UUID(int=last).version == 7
        end = last


@pytest.mark.parametrize("drawn", [b"\x00", b"\xff", b"\x00\x00\x00\x00\xff\xff\xff\xff"])
def test_blocks_grow_with_the_least_and_the_greatest_that_can_be_drawn(
    drawn: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.common.domain.ids.os.urandom", lambda size: (drawn * 8)[:size])
    monkeypatch.setattr("tq.common.domain.ids.time.time_ns", lambda: 1_000_000)
    maker = IdMaker()
    firsts = [maker.block(BLOCK_IDS) for _ in range(3_000)]
    assert all(one + BLOCK_IDS <= next for one, next in itertools.pairwise(firsts))
    assert all(first // PLACES == (first + BLOCK_IDS - 1) // PLACES for first in firsts)
    assert {uuid.UUID(int=first).version for first in firsts} == {7}


def test_a_millisecond_that_is_used_up_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tq.common.domain.ids.time.time_ns", lambda: 1_000_000)
    maker = IdMaker()
    one = maker()
    maker._end = (1 << 62) - 5
    two = maker()
    assert number(two) >> 80 == (number(one) >> 80) + 1 == 2
    assert (shard(two), uuid.UUID(bytes=two).version) == (0, 7)


@given(st.integers(0, 2**62 - 1 - BLOCK_IDS), st.integers(1, 1_000))
def test_many_ids_are_the_first_one_and_what_follows(start: int, count: int) -> None:
    first = (5 << 80 | 7 << 76 | 2 << 62 | start) // PLACES * PLACES + start % (PLACES - count)
    assert [number(id) for id in consecutive_ids(first, count)] == list(range(first, first + count))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), max_size=40))
def test_ids_of_one_source_are_consecutive_however_others_alternate_with_it(
    takes: list[tuple[int, int]],
) -> None:
    maker = IdMaker()
    sources = [IdSource(maker, lambda: 0.0) for _ in range(3)]
    taken: list[list[int]] = [[], [], []]
    for which, count in takes:
        first = sources[which].take(count)
        taken[which] += range(first, first + count)
    for ids in taken:
        assert ids == list(range(ids[0], ids[0] + len(ids))) if ids else True
    everything = [id for ids in taken for id in ids]
    assert len(set(everything)) == len(everything)


def test_a_block_ends_after_so_many_ids(clocks: Clocks) -> None:
    source = clocks.source(IdMaker())
    first = source.take(BLOCK_IDS - 10)
    assert source.take(10) == first + BLOCK_IDS - 10
    assert source.take() >= first + BLOCK_IDS
    second = source.take(BLOCK_IDS - 1)  # more than are left: of a block that has them all
    assert consecutive_ids(second, BLOCK_IDS - 1)[-1] == (second + BLOCK_IDS - 2).to_bytes(16, "big")


def test_a_block_ends_after_some_seconds_so_that_the_time_in_ids_is_about_true(clocks: Clocks) -> None:
    source = clocks.source(IdMaker())
    ids = []
    for _ in range(100):
        ids.append(source.take())
        clocks.seconds += 0.25
        clocks.ms += 250
    assert ids == sorted(ids)
    first = 1_800_000_000_000
    late = [first + 250 * index - (id >> 80) for index, id in enumerate(ids)]
    assert 0 <= min(late) <= max(late) <= BLOCK_SECONDS * 1_000
    assert len({id >> 80 for id in ids}) == 12


def test_one_block_takes_one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = []
    random = os.urandom
    monkeypatch.setattr("tq.common.domain.ids.os.urandom", lambda size: draws.append(size) or random(size))
    source = IdSource(IdMaker(), lambda: 0.0)
    for _ in range(10_000):
        source.take_one()
    assert draws == [8]


def test_order_survives_a_clock_that_goes_back(clocks: Clocks) -> None:
    make = IdMaker()
    ids = []
    for ms in (2, 1, 3):
        clocks.ms = ms
        ids.append(make())
    assert ids == sorted(set(ids))


def test_threads_never_get_the_same_id() -> None:
    source, taken = IdSource(), [list[int]() for _ in range(8)]

    def take(into: list[int]) -> None:
        for _ in range(2_000):
            into.append(source.take())

    threads = [threading.Thread(target=take, args=(into,)) for into in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in taken)
    assert len({id for ids in taken for id in ids}) == 16_000


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    source = IdSource()
    new_ids()
    before = source.take()
    its = drawn_in_child(source)
    assert len(its) == 200
    assert its.isdisjoint([*new_ids.many(100), *(source.take_one() for _ in range(100))])
    assert source.take() == before + 101  # the parent goes on with its block


def test_a_child_that_is_forked_while_an_id_is_drawn_can_draw() -> None:
    source = IdSource()
    with new_ids.lock:  # as another thread, which the child does not have
        assert len(drawn_in_child(source)) == 200


def test_a_key_always_gives_the_same_id_and_another_queue_name_or_key_another() -> None:
    assert key_id("q", "m:f", "order-1") == key_id("q", "m:f", "order-1")
    others = [("q", "m:f", "1"), ("q", "m:f", "2"), ("q", "m:g", "1"), ("q", "m:f1", ""), ("q", "m:f", "1 ")]
    others += [("r", "m:f", "1"), ("q1", "m:f", "1"), ("q", "1m:f", "1")]
    assert len({key_id(*one) for one in others}) == len(others)
    id = key_id("q", "m:f", "x")
    assert (uuid.UUID(bytes=bytes(id)).version, id[: len(COMPUTED)]) == (8, COMPUTED)


def test_a_computed_id_carries_the_proof_from_which_a_master_computes_it_again() -> None:
    """The bytes are those of docs/protocol.md."""
    id = key_id("mail", "m:f", "order-1")
    proof = hashlib.sha256(b"order-1").digest()
    digest = hashlib.sha256(b"tq1 task id" + b"4:mail3:m:f" + proof).digest()
    expected = bytearray(COMPUTED + digest[:12])
    expected[6:8] = b"\x80\x00"  # the version, and the shard
    expected[8] = expected[8] & 0x3F | 0x80
    assert id == bytes(expected) == id_of_proof("mail", "m:f", proof)
    assert proofs([new_ids(), id]) == [[id, proof]]
    assert new_ids() < COMPUTED


def test_text_and_bytes_of_an_id_are_two_forms_of_one() -> None:
    id = new_ids()
    assert parse_id(show_id(id)) == id
    with pytest.raises(InvalidArgument, match="is not a task id; it looks like"):
        parse_id("nonsense")


def test_a_key_with_half_a_character_is_refused_with_its_place() -> None:
    with pytest.raises(NotSerializable, match=r"key='scan-\\udcff.tif': text with lone surrogates"):
        key_id("q", "m:f", "scan-\udcff.tif")


@pytest.mark.parametrize("shard", [0, 1, 255, 256, SHARDS_MAX - 1])
def test_every_way_to_make_an_id_puts_it_into_the_shard_that_is_asked_for(shard: int) -> None:
    source = IdSource(shard=shard)
    keyed = key_id("mail", "m:f", "order-1", shard)
    made = {
        "one": source.take_one(),
        "many": source.take(3).to_bytes(16, "big"),
        "key": keyed,
        "proof": id_of_proof("mail", "m:f", keyed.proof, shard),
        "occurrence": occurrence_id("nightly", "mail", b"at", shard),
        "moment": id_of_moment(1_800_000_000_000, os.urandom, 3, shard),
        "flow": keyed_flow_id("maker", b"key", shard),
        "callback": callback_id(keyed_flow_id("maker", b"key", shard), 1, b"then"),
    }
    assert {how: shard_of_id(id) for how, id in made.items()} == dict.fromkeys(made, shard)
    assert made["key"] == made["proof"]
    # It has no other bit than the one in a cluster of one shard.
    assert (
        int.from_bytes(keyed, "big") ^ int.from_bytes(key_id("mail", "m:f", "order-1"), "big") == shard << 64
    )


def test_ids_of_several_shards_are_still_drawn_in_order_and_never_twice() -> None:
    maker = IdMaker()
    sources = [IdSource(maker, shard=shard) for shard in range(4)]
    drawn = [source.take_one() for _ in range(500) for source in sources]
    assert len(set(drawn)) == 2_000
    for shard in range(4):
        of_shard = [id for id in drawn if shard_of_id(id) == shard]
        assert len(of_shard) == 500
        assert of_shard == sorted(of_shard)
