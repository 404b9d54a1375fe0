from __future__ import annotations

import hashlib
import os
import uuid

import pytest
from tq.common.domain.ids import COMPUTED, IdMaker, id_of_proof, key_id, new_ids, parse_id, proofs, show_id
from tq.common.errors import InvalidArgument, NotSerializable


def test_ids_are_version_7_uuids_in_strictly_increasing_order() -> None:
    ids = [*new_ids.many(5_000), *(new_ids() for _ in range(100)), *new_ids.many(10)]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(bytes=id).version for id in ids} == {7}
    assert {uuid.UUID(bytes=id).variant for id in ids} == {uuid.RFC_4122}


def test_order_survives_a_clock_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000_000_000, 1_000_000_000, 3_000_000_000])
    monkeypatch.setattr("tq.common.domain.ids.time.time_ns", lambda: next(times))
    make = IdMaker()
    ids = [make() for _ in range(3)]
    assert ids == sorted(ids)


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    new_ids()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"".join(new_ids.many(100)))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    its = {theirs[at : at + 16] for at in range(0, len(theirs), 16)}
    assert len(its) == 100
    assert its.isdisjoint(new_ids.many(100))


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
    expected[6] = expected[6] & 0x0F | 0x80
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
