"""Results of other tasks in arguments, from the handle to the plain value."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind, new_ids
from tq.common.errors import DecodeError, Forbidden, NotSerializable
from tq.common.values.blob import Blob, fetched_by
from tq.common.values.codec import decode_work, encode, encode_call
from tq.common.values.failed import Failed, failed
from tq.common.values.failure import Failure
from tq.common.values.needed import Needed, carry, get_needed_from

FIRST = new_ids.many(3)[0]


class Handle:
    _tq_remedy = "send what its result() gives"

    def __init__(self, needed: Needed) -> None:
        self.needed = needed

    def _tq_needed(self) -> tuple[str, Needed]:
        return "session", self.needed


class Gathered:
    def __init__(self, why_not: str = "") -> None:
        self.found: list[Needed] = []
        self.why_not = why_not

    def add(self, session: Any, needed: Needed) -> str:
        self.found.append(needed)
        return self.why_not


ONE = Needed((IdRun(FIRST, 1),), is_list=False)
SEVERAL = Needed((IdRun(FIRST, 2), IdRun(id_behind(FIRST, 2), 1)), is_list=True)
DONE, BAD = 10, 11


def payload() -> bytes:
    return encode_call(
        (Handle(ONE), [1, {"all": Handle(SEVERAL)}]), {"last": Handle(ONE)}, (), None, Gathered()
    )


def rows(*states: int) -> list[list[Any]]:
    bodies = {DONE: encode({"a": 1}), BAD: Failure("ValueError", "no").encode()}
    return [[id_behind(FIRST, place), state, [bodies[state]]] for place, state in enumerate(states)]


def test_handles_become_the_results_of_their_tasks() -> None:
    value = {"a": 1}
    args, kwargs, _ = decode_work(carry(payload(), False, rows(DONE, DONE, DONE)))
    assert args == [value, [1, {"all": [value] * 3}]]
    assert kwargs == {"last": value}


def test_what_the_lease_has_not_brought_is_fetched_once_for_all_behind_it() -> None:
    asked: list[bytes] = []

    def fetch(first: bytes) -> list[list[Any]]:
        asked.append(first)
        return rows(DONE, DONE, DONE)

    get_needed_from(fetch, failed)
    args, _, _ = decode_work(carry(payload(), False, []))
    assert args[0] == {"a": 1}
    assert asked == [FIRST]


def test_content_that_a_result_names_is_fetched_where_that_task_is() -> None:
    class Place:
        def __init__(self, id: bytes = b"") -> None:
            self.id = id

        def of_result(self, id: bytes) -> Place:
            return Place(id)

    blobs: list[Blob] = []
    body = encode(Blob.of(b"text"), blobs=blobs)
    there = [[id_behind(FIRST, place), DONE, [body]] for place in range(3)]
    with fetched_by(Place()):  # type: ignore[arg-type]
        args, _, _ = decode_work(carry(payload(), False, there))
    assert [one._fetcher.id for one in args[1][1]["all"]] == [row[0] for row in there]


def test_failures_stand_for_results_only_if_they_are_asked_for() -> None:
    get_needed_from(lambda first: [], failed)
    args, _, _ = decode_work(carry(payload(), True, rows(DONE, BAD, DONE)))
    [good, bad, _] = args[1][1]["all"]
    assert good == {"a": 1}
    assert isinstance(bad, Failed)
    assert (bad.type, bad.message, str(bad.error())) == ("ValueError", "no", "ValueError: no")
    with pytest.raises(DecodeError, match="is not there any more"):
        decode_work(carry(payload(), False, rows(DONE, BAD, DONE)))


def test_what_is_deleted_or_runs_again_is_said_to_be() -> None:
    assert failed(FIRST, -1, None).message == "its result was deleted"
    assert failed(FIRST, 0, None).message == "it had not succeeded, and runs again"
    assert failed(FIRST, 13, None).message == "the task was cancelled"


def test_results_that_cannot_be_fetched_fail_the_task_and_say_why() -> None:
    def refused(first: bytes) -> list[list[Any]]:
        raise Forbidden("not yours")

    get_needed_from(refused, failed)
    with pytest.raises(DecodeError, match="could not be fetched: not yours"):
        decode_work(carry(payload(), False, []))
    get_needed_from(lambda first: [[new_ids(), DONE, [None]]], failed)
    with pytest.raises(DecodeError, match="has not sent the result"):
        decode_work(carry(payload(), False, []))


def test_arguments_are_shown_with_what_stands_for_the_results() -> None:
    for shown in (payload(), carry(payload(), False, [])):
        args, _, _ = decode_work(shown, as_is=True)
        assert args[0] == ONE
        assert repr(args[1][1]["all"]) == "<the results of 3 tasks>"


def test_a_handle_is_refused_with_its_place_where_nothing_gathers_it_or_it_cannot_be() -> None:
    with pytest.raises(
        NotSerializable, match=r"argument 0\[1\]: a Handle cannot be sent; send what its result"
    ):
        encode_call(([1, Handle(ONE)],), {})
    with pytest.raises(NotSerializable, match="argument 0: a handle of another cluster cannot be sent"):
        encode_call((Handle(ONE),), {}, (), None, Gathered("a handle of another cluster"))
    with pytest.raises(NotSerializable, match=r"value\.x"):
        encode({"x": Handle(ONE)})


@pytest.mark.parametrize("body", [b"", b"\xc0", b"\x91\x92\x01\x02", b"\xc4\x03abc", b"\xc1"])
def test_other_bytes_name_no_results(body: bytes) -> None:
    import msgpack

    wrong = msgpack.packb([[msgpack.ExtType(19, body)], {}])
    with pytest.raises(DecodeError):
        decode_work(wrong, as_is=True)
    with pytest.raises(DecodeError):
        decode_work(msgpack.packb(msgpack.ExtType(20, body)))


def test_carried_arguments_within_carried_arguments_are_refused() -> None:
    with pytest.raises(DecodeError):
        decode_work(carry(carry(payload(), False, []), False, []))
