from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import Forbidden, InvalidArgument, ProtocolError, RemoteError, TaskConflict
from tq.common.wire.frames import FrameReader, Kind, pack
from tq.common.wire.protocol import (
    PING,
    PONG,
    SKIMMED_BYTES_MIN,
    Abandoned,
    Answer,
    Answerer,
    Caller,
    Child,
    Goodbye,
    Ping,
    Request,
    child_frame,
    goodbye,
)

CHILD = b"c" * 16


def carry(frame: bytes, side: Caller | Answerer) -> object:
    [(kind, body)] = FrameReader(2**24).feed(frame)
    return side.understand(kind, body)


def test_a_call_and_its_answer_find_each_other() -> None:
    caller, answerer = Caller(), Answerer()
    call_id, frame = caller.call(["get_x", 1], "method", [b"a"], {"k": 2}, CHILD)
    request = carry(frame, answerer)
    assert isinstance(request, Request)
    assert (request.call_id, request.target, request.method) == (call_id, ("get_x", 1), "method")
    assert (request.args, request.kwargs, request.child) == ([b"a"], {"k": 2}, CHILD)
    assert carry(answerer.answer(call_id, [1]), caller) == Answer(call_id, [1], None)


@pytest.mark.parametrize("unsendable", [2**70, object(), "\ud800", {1: int}])
def test_what_no_frame_can_hold_is_refused_and_the_next_call_is_as_if_nothing_had_been(
    unsendable: object,
) -> None:
    caller = Caller()
    for target, args in ((["get_x", unsendable], []), (["get_x"], [unsendable])):
        with pytest.raises(InvalidArgument, match="method cannot be asked of get_x with these: "):
            caller.call(target, "method", args, {})
    assert caller.call(["get_x"], "method", [], {})[0] == 1


def test_an_error_arrives_as_the_class_it_was_if_that_is_a_known_one() -> None:
    caller, answerer = Caller(), Answerer()
    for sent in (Forbidden("no"), TaskConflict("twice")):
        answer = carry(answerer.refuse(7, sent), caller)
        assert isinstance(answer, Answer)
        assert (type(answer.error), str(answer.error)) == (type(sent), str(sent))


def test_an_error_whose_text_has_half_a_character_arrives_with_it_written_out() -> None:
    """As of a user's exposed object that raised for the name of a file."""
    frame = Answerer().refuse(1, RemoteError("OSError: scan-\udcff.tif"))
    answer = carry(frame, Caller())
    assert isinstance(answer, Answer)
    assert str(answer.error) == "OSError: scan-\\udcff.tif"


def test_an_unknown_error_code_becomes_a_protocol_error_and_builds_nothing() -> None:
    answer = Caller().understand(Kind.ERROR, memoryview(pack([1, "SystemExit", "x", {}])))
    assert isinstance(answer, Answer)
    assert isinstance(answer.error, ProtocolError)


def test_an_answer_over_the_limit_becomes_an_error_that_says_so() -> None:
    answer = carry(Answerer(100).answer(1, b"x" * 200), Caller())
    assert isinstance(answer, Answer)
    assert "ask for less at once" in str(answer.error)


def test_the_small_frames_mean_what_they_say() -> None:
    caller, answerer = Caller(), Answerer()
    assert carry(PING, answerer) == Ping()
    assert carry(PONG, caller) is None
    assert carry(caller.abandon(5), answerer) == Abandoned(5)
    assert carry(child_frame(CHILD, False), answerer) == Child(CHILD, False)
    assert carry(goodbye("tired"), answerer) == carry(goodbye("tired"), caller) == Goodbye("tired")


@pytest.mark.parametrize(
    "body",
    [
        [],
        [1, ["t"], "m", []],
        ["1", ["t"], "m", [], {}],
        [1, [], "m", [], {}],
        [1, [2], "m", [], {}],
        [1, ["t"], 5, [], {}],
        [1, ["t"], "m", {}, {}],
        [-1, ["t"], "m", [], {}],
        [1, ["t"] * 9, "m", [], {}],
    ],
)
def test_a_malformed_call_ends_the_connection(body: list[object]) -> None:
    with pytest.raises(ProtocolError):
        Answerer().understand(Kind.CALL, memoryview(pack(body)))


@pytest.mark.parametrize("child", [[], ["c" * 16], [CHILD[:-1]], [CHILD, CHILD]])
def test_a_relayed_call_names_one_child_and_another_call_none(child: list[object]) -> None:
    call = [1, ["t"], "m", [], {}, *child]
    with pytest.raises(ProtocolError):
        Answerer().understand(Kind.RELAYED_CALL, memoryview(pack(call)))
    with pytest.raises(ProtocolError):
        Answerer().understand(Kind.CALL, memoryview(pack([1, ["t"], "m", [], {}, CHILD])))
    with pytest.raises(ProtocolError):
        Answerer().understand(Kind.CHILD, memoryview(pack([*child, 1])))


@given(st.integers(0, 20), st.binary(max_size=60))
def test_any_frame_is_understood_or_a_protocol_error(kind: int, body: bytes) -> None:
    for side in (Caller(), Answerer()):
        try:
            side.understand(kind, memoryview(body))
        except ProtocolError:
            continue


LARGE = b"x" * SKIMMED_BYTES_MIN


def test_a_large_call_is_judged_by_its_head_and_none_of_its_content_is_read() -> None:
    lists = [[[]] * 65_535] * 16
    tracemalloc.start()
    try:
        body = memoryview(pack([7, ["get_disk", 1], "measure", [lists, LARGE], {"x": lists}]))
        before = tracemalloc.get_traced_memory()[0]
        head = Answerer().head(Kind.CALL, body)
        assert tracemalloc.get_traced_memory()[1] - before < 4 * len(body)
    finally:
        tracemalloc.stop()
    assert head == Request(7, ("get_disk", 1), "measure", [None, None], {"x": None}, None, len(body))
    relayed = memoryview(pack([7, ["t"], "m", [LARGE], {}, CHILD]))
    head = Answerer().head(Kind.RELAYED_CALL, relayed)
    assert head is not None
    assert head.child == CHILD


def test_what_is_small_and_what_is_no_call_is_read_once() -> None:
    assert Answerer().head(Kind.CALL, memoryview(pack([7, ["t"], "m", [], {}]))) is None
    assert Answerer().head(Kind.GOODBYE, memoryview(pack("x" * 100_000))) is None


@pytest.mark.parametrize(
    "body",
    [
        LARGE,
        [1, ["t"], "m", [LARGE]],
        [1, ["t"], [[]] * 100_000, [], {}],
        [1, ["t", LARGE], "m", [], {}],
        [LARGE, ["t"], "m", [], {}],
        [1, ["t"], "m", [1] * 100_000, {}],
        [1, ["t"], "m", [LARGE], {LARGE.decode(): 1}],
        [1, ["t"], "m", [LARGE], {str(number): 1 for number in range(40)}],
        [1, ["t"], "m", [LARGE], {}, CHILD],
        [1, ["t"], "m", [LARGE], {}, CHILD, CHILD],
        [1, [2], "m", [LARGE], {}],
        [1, 2, "m", [LARGE], {}],
        [1, ["t"], "m", LARGE, {}],
    ],
    ids=range(13),
)
def test_a_large_call_of_another_form_ends_the_connection(body: object) -> None:
    with pytest.raises(ProtocolError):
        Answerer().head(Kind.CALL, memoryview(pack(body)))


@pytest.mark.parametrize("name", [[1], {"a": 1}, None, 1])
def test_a_large_call_whose_argument_is_named_by_anything_but_text_ends_the_connection(name: object) -> None:
    parts = [pack(1), pack(["t"]), pack("m"), pack([LARGE]), b"\x81" + pack(name) + pack(1)]
    body = memoryview(b"\x95" + b"".join(parts))
    with pytest.raises(ProtocolError):
        Answerer().head(Kind.CALL, body)


def test_a_large_call_that_is_cut_off_ends_the_connection() -> None:
    body = pack([1, ["t"], "m", [LARGE], {}])
    with pytest.raises(ProtocolError):
        Answerer().head(Kind.CALL, memoryview(body[:-1]))
    with pytest.raises(ProtocolError):
        Answerer().understand(Kind.CALL, memoryview(body + b"\x01"))
