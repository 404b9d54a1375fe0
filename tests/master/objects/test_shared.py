"""Objects of managers in the master's memory: who may call what, and when they go."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument, RemoteError, TqError, UnknownObject
from tq.common.values.codec import decode, encode_call
from tq.common.values.failure import Failure
from tq.common.wire.protocol import Request
from tq.master.engine.session import Call, Session
from tq.master.objects import shared as shared_module

from ..conftest import GRACE_MS

TARGET = ("get_shared",)


class Program:
    """A client that makes objects and calls them."""

    def __init__(self, bench: Any, role: Role = Role.CLIENT) -> None:
        self._bench, self._registry = bench, bench.registry
        self.session: Session = bench.client(role=role).session

    def ask(self, method: str, *args: Any, child: bytes | None = None) -> Any:
        request = Request(1, TARGET, method, list(args), {}, child, 100)
        invocation = self._registry.invocation(self.session, request)
        assert not invocation.engine
        return decode(invocation.run(Call(self.session, 1, lambda call: None, [])))

    def make(self, typeid: str, *args: Any) -> bytes:
        kind, made, ident, _ = self.ask("create", typeid, encode_call(args, {}))
        assert (kind, made) == ("object", typeid)
        return bytes(ident)

    def call(self, ident: bytes, method: str, *args: Any) -> Any:
        kind, value = self.ask("call", ident, method, encode_call(args, {}), [])
        if kind == "error":
            failure = Failure.decode(value)
            raise LookupError(f"{failure.type}: {failure.message}")
        return value

    def leave(self) -> None:
        """For longer than it may be away."""
        self.session.wire.close()  # type: ignore[attr-defined]
        self._bench.advance(GRACE_MS / 1000 + 1)


@pytest.mark.parametrize("role", Role)
def test_objects_are_a_clients_and_an_admins_and_of_a_workers_child(bench: Any, role: Role) -> None:
    program = Program(bench, role)
    payload = encode_call((), {})
    if role in (Role.CLIENT, Role.ADMIN):
        assert program.ask("create", "dict", payload)[0] == "object"
        return
    with pytest.raises(Forbidden, match="need the role client"):
        program.ask("create", "dict", payload)
    if role == Role.WORKER:
        assert program.ask("create", "dict", payload, child=b"c" * 16)[0] == "object"


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("create", []),
        ("create", ["dict", "text"]),
        ("create", [7, b""]),
        ("call", [b"i", "get", b""]),
        ("call", ["i", "get", b"", []]),
        ("drop", []),
        ("make", ["dict"]),
    ],
)
def test_a_call_that_is_none_is_refused(bench: Any, method: str, args: list[Any]) -> None:
    with pytest.raises(InvalidArgument, match="get_shared has create, call and drop"):
        Program(bench).ask(method, *args)


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x90", b"\x92\x90\x90"])
def test_arguments_that_are_none_are_refused(bench: Any, payload: bytes) -> None:
    program = Program(bench)
    ident = program.make("list")
    for call in (("create", "list", payload), ("call", ident, "append", payload, [])):
        with pytest.raises(TqError):
            program.ask(*call)
    assert program.call(ident, "#GETVALUE") == []


def test_an_object_goes_with_its_program_and_with_its_last_proxy_there(bench: Any) -> None:
    maker, user = Program(bench), Program(bench)
    kept, dropped = maker.make("dict"), maker.make("dict")
    user.call(kept, "__setitem__", "k", 1)
    user.ask("drop", dropped)
    assert maker.call(dropped, "copy") == {}
    maker.ask("drop", dropped)
    with pytest.raises(UnknownObject, match="does not exist any more"):
        user.call(dropped, "copy")
    user.leave()
    assert maker.call(kept, "copy") == {"k": 1}
    maker.leave()
    with pytest.raises(UnknownObject):
        maker.call(kept, "copy")


def test_a_program_that_is_back_in_time_keeps_its_objects(bench: Any) -> None:
    maker = Program(bench)
    ident = maker.make("dict")
    maker.session.wire.close()
    bench.advance(GRACE_MS / 1000 - 1)
    bench.engine.sessions.opened(
        Session(
            maker.session.wire,
            verifier=maker.session.verifier,
            role=Role.CLIENT,
            node=maker.session.node,
            address="test",
        )
    )
    bench.advance(GRACE_MS / 1000 + 1)
    assert maker.call(ident, "copy") == {}


def test_objects_have_a_bound(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_module, "OBJECTS_MAX", 3)
    program = Program(bench)
    idents = [program.make("dict") for _ in range(3)]
    with pytest.raises(InvalidArgument, match="delete some"):
        program.ask("create", "dict", encode_call((), {}))
    program.ask("drop", idents[0])
    program.make("dict")


def test_a_result_that_cannot_be_encoded_is_refused_with_its_path(bench: Any) -> None:
    program = Program(bench)
    with pytest.raises(RemoteError, match=r"^result: a type cannot be sent"):
        program.call(program.make("Namespace"), "__getattribute__", "__class__")
    with pytest.raises(LookupError, match="KeyError"):
        program.call(program.make("dict"), "__getitem__", "missing")
    with pytest.raises(
        LookupError, match="AttributeError: method 'fromkeys' of 'dict' object is not exposed"
    ):
        program.call(program.make("dict"), "fromkeys", [])
