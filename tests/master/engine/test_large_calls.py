"""Large calls: what will not be done is refused before anything is made of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.contract.exposed import exposed
from tq.common.domain.model import Role
from tq.common.errors import DecodeError, InvalidArgument
from tq.common.values.codec import encode, encode_call, shape_of_call
from tq.common.wire.frames import Kind, encode_frame, pack
from tq.common.wire.protocol import SKIMMED_BYTES_MIN
from tq.master.api.registry import Registry
from tq.master.engine.session import Call
from tq.master.parts import make_registry

from tests.master.api.test_registry import request
from tests.master.net.harness import FRAME_BYTES_MAX, ServerHarness


class Tally:
    """A user's own object."""

    @exposed("client")
    def add(self, amount: int = 1) -> int:
        return amount


@pytest.fixture
def registry(bench: Any) -> Registry:
    return make_registry(bench.engine, {"get_tally": f"{__name__}:Tally"})


@pytest.fixture
def harness(bench: Any, tmp_path: Path, registry: Registry) -> Iterator[ServerHarness]:
    bench.registry = registry
    harness = ServerHarness(bench, tmp_path)
    yield harness
    harness.close()


@pytest.mark.parametrize(
    ("target", "method", "args", "words"),
    [
        (["get_master"], "info", 1, "argument"),
        (["get_task_queue", "q"], "submit", 12, "argument"),
        (["get_task_queue", "q"], "pause", 1, "needs the role admin"),
        (["get_nothing"], "at_all", 1, "exposes no"),
        (["get_task_queue", "q"], "no_such_method", 1, "has no method"),
        (["get_shared"], "create", 3, "has create, call and drop"),
        (["get_tally"], "add", 2, "takes one payload"),
    ],
)
def test_a_large_call_that_cannot_be_made_is_refused_before_its_arguments_are_decoded(
    harness: ServerHarness, target: list[str], method: str, args: int, words: str
) -> None:
    """A frame of empty lists is a gigabyte of them."""
    peer = harness.connect().admitted()
    lists = [[]] * (SKIMMED_BYTES_MIN * 5 // 8 // args)
    for call_id in (1, 2):
        body = pack([call_id, target, method, [[lists, lists]] * args, {}])  # 82 KB, and made, five megabytes
        tracemalloc.start()
        try:
            peer.say(encode_frame(Kind.CALL, body, FRAME_BYTES_MAX))
            peer.listen()
            assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
        finally:
            tracemalloc.stop()
        kind, answer = peer.frames[-1]
        assert (kind, answer[0]) == (Kind.ERROR, call_id)
        assert words in answer[2]
    assert not peer.hung_up


def test_large_arguments_that_do_not_fit_are_refused_before_they_are_read(
    bench: Any, registry: Registry
) -> None:
    """Read, and then refused, they would be 64 MB for each of those who ask at a time."""
    lists = [[]] * 1_000_000
    payloads = encode_call((lists, 1, 2), {}), encode_call((), {"no_such_name": lists})
    session = bench.client(role=Role.CLIENT).session
    tracemalloc.start()
    try:
        for payload in payloads:
            run = registry.invocation(session, request(("get_tally",), "add", payload)).run
            with pytest.raises(InvalidArgument, match="argument"):
                run(Call(session, 1, run, []))
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "payload",
    [[[0] * 2_000, {}], [[], {}, 1], [[], []], 1, [[], {1: 2}], [[], dict.fromkeys(map(str, range(2_000)))]],
    ids=range(6),
)
def test_the_shape_of_what_is_no_call_is_refused(payload: Any) -> None:
    with pytest.raises(DecodeError):
        shape_of_call(encode(payload))
    assert shape_of_call(encode_call((1, {2}), {"x": 3})) == (2, ["x"])
