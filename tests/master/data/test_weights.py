"""What managers' values take in memory: of one call, of one key, and of all that are kept there."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.auth.keys import AUTHKEY_ID, Verifier
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, QuotaExceeded
from tq.common.values.codec import decode, encode, encode_call
from tq.common.values.elements import weight
from tq.common.wire.protocol import Request
from tq.master.data import named_values as data_module
from tq.master.data.named_values import NamedValues
from tq.master.engine.clock import Now
from tq.master.engine.session import Session
from tq.master.objects import shared as shared_module
from tq.master.objects.shared import SharedObjects

from ..conftest import Bench, Peer

NODE = b"n" * 16
# [[[], [], …]], {}
DENSE = b"\x92\x91" + b"\xdd" + (3_000_000).to_bytes(4, "big") + b"\x90" * 3_000_000 + b"\x80"


def shared_call(shared: SharedObjects, key: str, method: str, *args: Any, node: bytes = NODE) -> Any:
    verifier = Verifier(key_id=key, role=Role.CLIENT, kdf="none", stored_key=b"", server_key=b"")
    wire: Any = None
    session = Session(wire, verifier=verifier, role=Role.CLIENT, node=node, address="test")
    request = Request(1, ("get_shared",), method, list(args), {}, None, 100)
    call: Any = None
    return decode(shared.run(session, request, Role.CLIENT)(call))


def make(shared: SharedObjects, key: str, *args: Any, typeid: str = "list", node: bytes = NODE) -> bytes:
    return bytes(shared_call(shared, key, "create", typeid, encode_call(args, {}), node=node)[2])


def test_arguments_that_would_take_very_much_memory_are_refused_before_they_are_decoded(bench: Bench) -> None:
    message = r"3,000,\d+ bytes and would take \d{3},\d{3},\d{3} of memory"
    with pytest.raises(InvalidArgument, match=message):
        shared_call(SharedObjects(), "a", "create", "list", DENSE)
    message = "more values than can be read and written in half a second"
    with pytest.raises(InvalidArgument, match=message):
        bench.client().call(("get_datum", "list", "v"), "make", DENSE)
    bench.client().call(("get_datum", "list", "v"), "make", encode_call(([],), {}))
    with pytest.raises(InvalidArgument, match=message):
        bench.client().call(("get_datum", "list", "v"), "call", b"c" * 16, 1, "append", DENSE, [])


def test_objects_of_one_key_take_so_much_memory_and_those_of_another_have_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_module, "KEY_MEMORY_BYTES_MAX", 100_000)
    shared, item = SharedObjects(), "x" * 1_000
    ident = make(shared, "a", [])

    def fill() -> None:
        for _ in range(1_000):
            shared_call(shared, "a", "call", ident, "append", encode_call((item,), {}), [])

    with pytest.raises(QuotaExceeded, match=r"made take \d\d,\d\d\d bytes of memory, .* remove elements"):
        fill()
    _, added = shared_call(shared, "a", "call", ident, "__len__", encode_call((), {}), [])
    assert 80 <= added <= 100_000 // len(item)
    other = make(shared, "b", [item] * 50)
    shared_call(shared, "b", "call", other, "append", encode_call((item,), {}), [])


def test_what_was_taken_out_of_an_object_makes_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_module, "KEY_MEMORY_BYTES_MAX", 100_000)
    shared, item = SharedObjects(), "x" * 1_000
    ident = make(shared, "a", [])
    for _ in range(500):
        shared_call(shared, "a", "call", ident, "append", encode_call((item,), {}), [])
        shared_call(shared, "a", "call", ident, "pop", encode_call((), {}), [])


def test_objects_that_are_gone_make_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_module, "KEY_MEMORY_BYTES_MAX", 100_000)
    monkeypatch.setattr(shared_module, "KEY_OBJECTS_MAX", 3)
    shared = SharedObjects()
    large = ["x" * 1_000] * 80
    for _ in range(5):
        ident = make(shared, "a", large)
        with pytest.raises(QuotaExceeded, match="objects of managers"):
            make(shared, "a", large)
        shared_call(shared, "a", "drop", ident)
    make(shared, "a", large)
    shared.node_lost(NODE, Now(0, 0))
    idents = [make(shared, "a", []) for _ in range(3)]
    with pytest.raises(QuotaExceeded, match="this key has 3 objects of managers"):
        make(shared, "a", [])
    assert len(set(idents)) == 3


def test_a_plain_authkey_has_what_all_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_module, "KEY_MEMORY_BYTES_MAX", 100_000)
    monkeypatch.setattr(shared_module, "MEMORY_BYTES_MAX", 300_000)
    shared, large = SharedObjects(), ["x" * 1_000] * 80
    for _ in range(3):
        make(shared, AUTHKEY_ID, large)
    with pytest.raises(QuotaExceeded, match="and all 2"):
        make(shared, AUTHKEY_ID, large)


def test_named_values_are_kept_in_memory_by_what_they_take_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Peer = bench.client()
    dense = encode_call(([[] for _ in range(1_000)],), {})
    monkeypatch.setattr(data_module, "RESIDENT_BYTES_MAX", 3 * weight(encode([[] for _ in range(1_000)])))
    for name in "abcdef":
        client.call(("get_datum", "list", name), "make", dense)
    resident = [name for name, one in bench.engine.part(NamedValues).by_name.items() if one.datum is not None]
    assert resident in (["d", "e", "f"], ["e", "f"])
    answer = client.call(("get_datum", "list", "a"), "call", b"c" * 16, 1, "__len__", encode_call((), {}), [])
    assert decode(answer) == ["value", 1_000]
