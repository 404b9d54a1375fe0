"""What can be called, by whom, and what is said to everybody else."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tq.common.contract.exposed import exposed
from tq.common.contract.table import BUILT_IN
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import ConfigError, Forbidden, InvalidArgument, RemoteError, TqError, UnknownObject
from tq.common.values.codec import decode, encode_call
from tq.common.wire.protocol import Request
from tq.master.api.registry import OBJECTS_MAX
from tq.master.engine.session import Call, Session
from tq.master.parts import make_registry
from tq.master.tasks.leases import Leases

from tests.master.api.spoils import AWKWARD, bottomless, filled, places, put
from tests.master.locks.lock_calls import GOOD_ITEM_CALLS, GOOD_LOCK_CALLS, TARGETS

# Whom the role of a method lets in: a worker's are for workers, and an admin may do everything.
ALLOWED = {
    Role.VIEWER: {"viewer", "client", "admin"},
    Role.CLIENT: {"client", "admin"},
    Role.WORKER: {"worker", "admin"},
    Role.ADMIN: {"admin"},
}
# tests/common/contract compares the contract with docs/protocol.md, where a person has judged each method.
MAY_CALL = {
    name: {method: ALLOWED[agreed.role] for method, agreed in contract.methods.items()}
    for name, contract in BUILT_IN.items()
}
MODULE = "exposed_by_tests"


class Counter:
    """A user's own object."""

    def __init__(self, start: int = 0) -> None:
        self.value = start

    @exposed("client")
    def add(self, amount: int = 1) -> int:
        self.value += amount
        return self.value

    @exposed("viewer")
    def read(self) -> int:
        return self.value

    @exposed("viewer")
    def fail(self) -> None:
        raise LookupError("no such thing")

    @exposed("viewer")
    def unsendable(self) -> object:
        return self

    def hidden(self) -> int:
        return self.value


def make_nested() -> type:
    class Nested:
        """No other process finds it."""

    return Nested


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """A module of the user's, as it would be found on the path."""
    made = types.ModuleType(MODULE)
    Counter.__module__ = MODULE
    made.__dict__.update(
        Counter=Counter, short=lambda: Counter(), Nested=make_nested(), number=7, Outer=type("Outer", (), {})
    )
    sys.modules[MODULE] = made
    yield made
    del sys.modules[MODULE]


def request(
    target: tuple[Any, ...], method: str, *args: Any, relayed: bool = False, **kwargs: Any
) -> Request:
    return Request(1, target, method, list(args), kwargs, b"c" * 16 if relayed else None, 100)


def pairs() -> list[tuple[str, str]]:
    return [(name, method) for name, methods in MAY_CALL.items() for method in methods]


def good_calls_of_subjects() -> dict[str, list[Any]]:
    """Those that stand beside the tests of a subject: ``GOOD_CALLS``, as in ``tests/master/flows/flow_calls.py``."""
    found: dict[str, list[Any]] = {}
    for file in sorted(Path(__file__).parents[1].glob("*/*_calls.py")):
        if file.name.startswith("test_"):
            continue
        module = importlib.import_module(f"tests.master.{file.parent.name}.{file.stem}")
        found |= getattr(module, "GOOD_CALLS", {})
    return found


# the built-in objects: who may


def refusal(bench: Any, session: Session, name: str, method: str, *, relayed: bool = False) -> TqError | None:
    """What a call without arguments gets: the role is judged first, so who may call gets an error about arguments at most."""
    try:
        bench.registry.invocation(session, request((name,), method, relayed=relayed))
    except TqError as error:
        return error
    return None


@pytest.mark.parametrize("role", Role)
def test_a_method_is_for_the_roles_of_the_table_and_refused_to_all_others(bench: Any, role: Role) -> None:
    peer = bench.client(role=role)
    for name, method in pairs():
        refused = refusal(bench, peer.session, name, method)
        if role in MAY_CALL[name][method]:
            assert refused is None or isinstance(refused, InvalidArgument), (name, method)
            continue
        assert isinstance(refused, Forbidden), (name, method)
        needed = bench.registry.methods()[name][method]
        assert (
            str(refused)
            == f"{name}.{method} needs the role {needed}, this key has {role}; ask for a key with the role {needed}"
        )
        with pytest.raises(Forbidden):  # and nothing of it reaches the engine
            peer.call(name, method)
        assert not bench.engine.has_work, (name, method)


@pytest.mark.parametrize("role", Role)
def test_a_relayed_call_has_a_clients_rights_and_only_who_may_be_a_worker_relays(
    bench: Any, role: Role
) -> None:
    """A relayed call is judged as a client's: hence it must not be the way for a viewer to become one."""
    session = bench.client(role=role).session
    for name, method in pairs():
        may = role in (Role.WORKER, Role.ADMIN) and "client" in MAY_CALL[name][method]
        refused = refusal(bench, session, name, method, relayed=True)
        assert isinstance(refused, Forbidden) != may, (name, method)
        assert may == (refused is None or isinstance(refused, InvalidArgument)), (name, method)


def test_a_viewer_that_relays_is_refused_because_only_workers_do(bench: Any) -> None:
    viewer = bench.client(role=Role.VIEWER)
    call = request(("get_tasks",), "cancel", [], relayed=True)
    with pytest.raises(Forbidden, match=r"only a worker relays calls.*this key has viewer"):
        bench.registry.invocation(viewer.session, call)


# the built-in objects: what is not there


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "name", ["get_secrets", "TaskQueue", "__class__", "", "get_task_queue ", "Get_tasks"]
)
def test_an_object_that_is_not_exposed_is_refused_with_those_that_are(
    bench: Any, name: str, role: Role
) -> None:
    with pytest.raises(
        UnknownObject,
        match=re.escape(f"exposes no {name!r}; it exposes get_audit, get_barrier, get_blobs, get_data"),
    ):
        bench.client(role=role).call(name or "", "list")


@pytest.mark.parametrize(
    "method", ["", "engine", "__init__", "__class__", "__reduce_ex__", "_set", "name", "submit ", "clear"]
)
def test_a_method_without_a_declared_role_does_not_exist_even_for_an_admin(bench: Any, method: str) -> None:
    with pytest.raises(
        UnknownObject, match=r"get_task_queue has no method .*; it has confirm, get, .*, submit, task_done"
    ):
        bench.client(role=Role.ADMIN).call("get_task_queue/q", method)


@pytest.mark.parametrize(
    ("target", "method", "arguments", "message"),
    [
        (("get_tasks", 1), "list", ({},), "Tasks is not named by"),
        (("get_task_queue", "a", "b"), "submit", ("m:f", {}, []), "TaskQueue is not named by"),
        (("get_task_queue", "a b"), "submit", ("m:f", {}, []), "white space"),
        (("get_task_queue", 7), "submit", ("m:f", {}, []), "queue name must be"),
        (("get_tasks",), "list", (), "list: missing a required argument: 'filter'"),
        (("get_tasks",), "show", (b"", 1), "show: too many positional arguments"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(
    bench: Any, target: tuple[Any, ...], method: str, arguments: tuple[Any, ...], message: str
) -> None:
    session = bench.client(role=Role.ADMIN).session
    with pytest.raises(InvalidArgument, match=message):
        bench.registry.invocation(session, request(target, method, *arguments))


def test_the_call_itself_cannot_be_given_as_an_argument(bench: Any) -> None:
    session = bench.client(role=Role.ADMIN).session
    for name in ("call", "self"):
        with pytest.raises(InvalidArgument, match="multiple values for argument"):
            bench.registry.invocation(session, request(("get_queues",), "list", **{name: 1}))


TASK, RUNNING, LEASE = b"t" * 16, b"r" * 16, b"l" * 16
INFO = {
    "host": "a2", "pid": 7, "slots": 2, "labels": {"room": "1"}, "tasks": ["m:f"], "queues": ["*"], "version": "1",
}  # fmt: skip
OPTIONS = {
    "priority": 1,
    "delay": 1.0,
    "retries": 1,
    "timeout": 1.0,
    "expires": 9.0,
    "delivery": "at_least_once",
}
# One good call of every method, of which the next test spoils one place after another.
TOKEN = b"k" * 16
BLOBS_AND_PROOFS = [[TASK, [b"h" * 32]]], [[TASK, b"p" * 32]]
FILTER: dict[str, Any] = {
    "states": [0, 11],
    "queues": ["q", "img.*"],
    "names": ["m:*"],
    "errors": ["ValueError"],
    "text": "smtp",
    "since": 1.5e9,
    "until": 2e9,
    "ids": [TASK, 5],
}
GOOD: dict[str, list[Any]] = {
    **{
        f"{name}.{method}": arguments
        for name in ("get_task_queue", "get_result_queue", "get_queue")
        for method, arguments in GOOD_ITEM_CALLS.items()
    },
    "get_task_queue.submit": [
        *("m:f", OPTIONS, [[TASK, b"payload"]], "stream", *BLOBS_AND_PROOFS, b"f" * 16, [TASK, b"l" * 16]),
        {"limits": [[{"name": "smtp", "rate": "1/s"}, [["a"], [0]], 1]], "tenant": "acme"},
        *("wait", ["key", 15, 1_000, "return"]),
    ],
    **{f"get_blobs.{name}": [b"h" * 32, 9, 0, b"x"][:n] for name, n in (("ask", 2), ("put", 4), ("get", 3))},
    **{f"{name}.{method}": args for name, calls in GOOD_LOCK_CALLS.items() for method, args in calls.items()},
    "get_task_queue.pause": ["reason"],
    "get_task_queue.resume": [],
    **{f"get_result_queue.{name}": [[TASK]] for name in ("watch", "unwatch")},
    "get_result_queue.collect": [10],
    "get_tasks.select": [FILTER, 2, 9],
    "get_tasks.lines": [{**FILTER, "ids": None}, 2, [9, TASK], True],
    "get_tasks.meant": ["019300a1", "3c2b"],
    **{f"get_tasks.{name}": [FILTER, 9] for name in ("cancel_where", "retry_where", "purge")},
    "get_dispatcher.announce": [INFO, [[TASK, 1, LEASE]]],
    "get_dispatcher.describe": [[["m:f", b"signature"]]],
    "get_dispatcher.lease": [2],
    "get_dispatcher.lend": [bytes(16), [], 2],
    "get_dispatcher.finish": [[[RUNNING, 1, LEASE, 0, b"r", 0.0, 0.1, 1.0]], [[0, [b"h" * 32]]]],
    "get_dispatcher.release": [[[RUNNING, 1, LEASE], [TASK, 1, LEASE]]],
    "get_dispatcher.leave": [],
    **good_calls_of_subjects(),
    "get_dispatcher.starting": [[TASK]],
    "get_dispatcher.beat": [[[TASK, 1, LEASE, 0.5]], {"memory_bytes": 1}],
    "get_dispatcher.observe": [[[RUNNING, 1, LEASE, 3, b"abc", [1, 2.0, "note"]]]],
    "get_dispatcher.orders": [],
    "get_tasks.states": [[TASK]],
    "get_tasks.last_runs": [[TASK]],
    "get_tasks.progress": [[TASK]],
    "get_dependencies.results": [RUNNING, 1, LEASE, TASK],
    "get_dependencies.of": [TASK],
    "get_dependencies.rows": [[TASK]],
    "get_dependencies.needed_by": [TASK],
    "get_dependencies.missing": [[TASK]],
    "get_tasks.show": [TASK],
    "get_tasks.why": [TASK],
    "get_tasks.log": [TASK, 1, 0],
    "get_tasks.list": [{"states": [0], "queue": "q", "name": "m:f", "since": 1.0}, 10, TASK],
    "get_tasks.cancel": [[TASK]],
    "get_tasks.retry": [[TASK]],
    "get_queues.list": [],
    "get_queues.delete": ["q", True],
    "get_queues.set": ["q", 5],
    "get_locks.list": [],
    "get_locks.take_away": ["q", 1],
    "get_locks.delete": ["q", "lock"],
    "get_data.list": [],
    "get_data.show": ["q"],
    "get_data.delete": ["q"],
    "get_workers.list": [],
    "get_workers.serving": ["q", "m:f"],
    "get_workers.signatures": [["m:f"]],
    "get_workers.drain": ["00"],
    "get_workers.running": ["00"],
    "get_workers.attempts": [900.0, 1.0, "00"],
    "get_keys.add": ["client", ["gpu.*"], "note", "acme", {"max_queued": 5, "max_queued_bytes": 9}],
    "get_keys.set": ["key", {"max_queued": 5}],
    "get_keys.revoke": ["key"],
    "get_keys.list": [],
    "get_master.revoke": ["b.example"],
    "get_master.info": [],
    "get_master.snapshot": [],
    "get_master.series": [900.0, 7],
    "get_master.causes": [5],
    "get_master.masters": [],
}


def test_every_method_has_a_good_call_to_spoil() -> None:
    assert set(GOOD) == {f"{name}.{method}" for name, method in pairs()}


@pytest.mark.parametrize("called", GOOD)
def test_nothing_that_a_peer_may_send_disturbs_the_others(bench: Any, called: str) -> None:
    """A refusal is the caller's own; a failed transaction would be everyone's: watchers and workers would
    be disconnected and the store opened again."""
    name, _, method = called.partition(".")
    spoils = [*AWKWARD, bottomless()]
    faults = []
    client, peer, running, lease = with_a_running_task(bench)
    for path in list(places(GOOD[called]))[1:] or [()]:
        for other in spoils if path else [[]]:
            spoil = f"{other!r:.20}" if other is not spoils[-1] else "bottomless"
            arguments = put(filled(GOOD[called], {RUNNING: running, LEASE: lease}), path, other)
            bench.reports.clear()
            try:
                target = (name, *TARGETS.get(name, ()))
                run = bench.registry.invocation(peer.session, request(target, method, *arguments)).run
                bench.engine.call(peer.session, 1_000, run, 100)
                bench.step()
                refused = peer.answers.pop(1_000, (None, None))[1] is not None
            except TqError:
                refused = True
            except Exception as error:
                refused = False
                faults.append((path, spoil, repr(error)))
            bugs = [f["error"].splitlines()[-1] for action, f in bench.reports if action == "master.bug"]
            faults += [(path, spoil, bug) for bug in bugs]
            stored = bench.engine.store.find([running])[0].state == StateNumber.RUNNING
            if stored != (running in bench.engine.part(Leases).running):
                faults.append((path, spoil, "the engine and the store disagree about a task"))
            if not (refused and stored and peer.session.open):  # a refusal has changed nothing
                peer.close()
                client.close()
                client, peer, running, lease = with_a_running_task(bench)
    assert faults == []


def with_a_running_task(bench: Any) -> tuple[Any, Any, bytes, Any]:
    """A client, a worker that may call everything, and a task of that client which this worker runs, with its lease."""
    client, peer = bench.client(), bench.worker("m:f")
    peer.session.role = Role.ADMIN
    running = new_ids()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[running, b""]])
    lease, _ = peer.call("get_dispatcher", "lease", 1)
    return client, peer, running, lease


# a user's own objects: what can be exposed


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("name", "callable_name", "remedy"),
    [
        (
            "get_x",
            f"{MODULE}:short",
            r"is a lambda or a nested function; write `def short\(…\): …` at the top of",
        ),
        (
            "get_x",
            f"{MODULE}:<lambda>",
            rf"write a function at the top of {MODULE} and name it: '{MODULE}:make_queue'",
        ),
        (
            "get_x",
            f"{MODULE}:Nested",
            r"is a lambda or a nested function; write `def Nested\(…\): …` at the top",
        ),
        ("get_x", f"{MODULE}:make_nested.<locals>.Nested", "write a function at the top of"),
        ("get_x", f"{MODULE}:Countre", f"{MODULE} has no Countre; check the spelling"),
        ("get_x", f"{MODULE}:Outer.missing", "has no Outer.missing; check the spelling"),
        (
            "get_x",
            "no_such_module_here:f",
            "cannot import no_such_module_here .*; is it installed, or its folder on",
        ),
        ("get_x", f"{MODULE}:number", "is a int, not a callable; name a function or a class"),
        ("get_x", "Counter", "write 'module:function', e.g. 'myapp.queues:make'"),
        ("get_x", f"{MODULE}:", "write 'module:function'"),
        ("get_x", ":Counter", "write 'module:function'"),
        ("get_x", "", "write 'module:function'"),
        ("get x", f"{MODULE}:Counter", f"cannot be a name; write e.g. get_counter = '{MODULE}:Counter'"),
        ("", f"{MODULE}:Counter", "cannot be a name; write e.g. get_counter"),
        ("_x", f"{MODULE}:Counter", "cannot be a name; write e.g. get_counter"),
        ("get_tasks", f"{MODULE}:Counter", "this name is built in; choose another"),
    ],
)
def test_what_cannot_be_exposed_is_refused_with_the_line_to_write(
    bench: Any, name: str, callable_name: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=remedy) as caught:
        make_registry(bench.engine, {name: callable_name})
    assert str(caught.value).startswith("[expose] ")
    assert repr(name) in str(caught.value) or f"[expose] {name}:" in str(caught.value)


# a user's own objects: calls


Ask = Callable[..., Any]


@pytest.fixture
def ask(bench: Any, module: types.ModuleType) -> Ask:
    """``ask(role, target, method, *args, **kwargs)`` of a registry that exposes a Counter."""
    registry = make_registry(bench.engine, {"get_counter": f"{MODULE}:Counter"})

    def call(
        role: Role, target: tuple[Any, ...], method: str, *args: Any, relayed: bool = False, **kwargs: Any
    ) -> Any:
        session = bench.client(role=role).session
        payload = encode_call(args, kwargs)
        invocation = registry.invocation(session, request(target, method, payload, relayed=relayed))
        assert not invocation.engine
        return decode(invocation.run(Call(session, 1, invocation.run, [])))

    return call


def test_an_exposed_object_is_one_for_all_that_name_it_alike(ask: Ask) -> None:
    assert ask(Role.CLIENT, ("get_counter",), "add") == 1
    assert ask(Role.ADMIN, ("get_counter",), "add", amount=4) == 5
    assert ask(Role.CLIENT, ("get_counter", 100), "add") == 101
    assert ask(Role.VIEWER, ("get_counter",), "read") == 5


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "may"), [("add", ALLOWED[Role.CLIENT]), ("read", ALLOWED[Role.VIEWER])])
def test_an_exposed_objects_methods_have_roles_as_well(
    ask: Ask, method: str, may: set[str], role: Role
) -> None:
    if role in may:
        assert isinstance(ask(role, ("get_counter",), method), int)
    else:
        with pytest.raises(Forbidden, match=f"get_counter.{method} needs the role"):
            ask(role, ("get_counter",), method)


def test_a_workers_child_uses_an_exposed_object_as_a_client(ask: Ask) -> None:
    assert ask(Role.WORKER, ("get_counter",), "add", relayed=True) == 1
    with pytest.raises(Forbidden):
        ask(Role.VIEWER, ("get_counter",), "add", relayed=True)


@pytest.mark.parametrize("method", ["hidden", "value", "__class__", "__init__", "_x", ""])
def test_an_unmarked_method_of_an_exposed_object_does_not_exist(ask: Ask, method: str) -> None:
    with pytest.raises(
        UnknownObject, match=r"get_counter has no method .*; it has add, fail, read, unsendable"
    ):
        ask(Role.ADMIN, ("get_counter",), method)


def test_what_an_exposed_object_raises_arrives_as_type_and_message(ask: Ask) -> None:
    with pytest.raises(RemoteError, match=r"^LookupError: no such thing"):
        ask(Role.VIEWER, ("get_counter",), "fail")


def test_wrong_arguments_of_an_exposed_objects_method_are_the_callers_to_mend(ask: Ask) -> None:
    with pytest.raises(RemoteError, match=r"^TypeError: .*unexpected keyword"):
        ask(Role.CLIENT, ("get_counter",), "add", colour="red")


def test_what_an_exposed_object_returns_must_be_plain_data(ask: Ask) -> None:
    with pytest.raises(InvalidArgument, match=r"result of get_counter.unsendable: a Counter cannot be sent"):
        ask(Role.VIEWER, ("get_counter",), "unsendable")


@pytest.mark.parametrize("arguments", [(1, 2), ([],), ({},)])
def test_an_exposed_object_that_cannot_be_made_so_is_refused(ask: Ask, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument, match=r"^get_counter: "):
        ask(Role.ADMIN, ("get_counter", *arguments), "read")


def expose(bench: Any, factory: Callable[..., Any]) -> Callable[..., Any]:
    """``read(*arguments)`` of what a factory in a module of the user's makes."""
    factory.__qualname__ = "made_here"
    vars(sys.modules[MODULE])["made_here"] = factory
    registry = make_registry(bench.engine, {"get_it": f"{MODULE}:made_here"})
    session = bench.client(role=Role.VIEWER).session

    def read(*arguments: Any) -> Any:
        run = registry.invocation(session, request(("get_it", *arguments), "read", encode_call((), {}))).run
        return decode(run(Call(session, 1, run, [])))

    return read


@pytest.mark.usefixtures("module")
def test_what_a_factory_raises_is_the_users_error_and_no_bug_of_the_master(bench: Any) -> None:
    def factory(name: str) -> Counter:
        raise LookupError(f"no counter {name}")

    with pytest.raises(RemoteError, match=r"^LookupError: no counter x"):
        expose(bench, factory)("x")


@pytest.mark.usefixtures("module")
def test_an_object_that_several_threads_ask_for_at_once_is_made_once(bench: Any) -> None:
    """The first to make it waits for a second one, who must not come."""
    together = threading.Barrier(2)
    made: list[Counter] = []

    def factory() -> Counter:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.1)
        made.append(Counter(len(made)))
        return made[-1]

    read = expose(bench, factory)
    with ThreadPoolExecutor(2) as pool:
        assert [future.result() for future in [pool.submit(read) for _ in range(2)]] == [0, 0]
    assert len(made) == 1


@pytest.mark.parametrize("payload", [(), (b"", b""), ([],), ("text",), (None,)])
def test_an_exposed_objects_call_is_one_payload(bench: Any, module: Any, payload: tuple[Any, ...]) -> None:
    registry = make_registry(bench.engine, {"get_counter": f"{MODULE}:Counter"})
    session = bench.client(role=Role.ADMIN).session
    run = registry.invocation(session, request(("get_counter",), "read", *payload)).run
    with pytest.raises(InvalidArgument, match=r"one payload of \[args, kwargs\]"):
        run(Call(session, 1, run, []))


@pytest.mark.parametrize(("made", "refused"), [(OBJECTS_MAX - 1, False), (OBJECTS_MAX, True)])
def test_exposed_objects_are_kept_up_to_the_limit(ask: Ask, made: int, refused: bool) -> None:
    for number in range(made):
        ask(Role.CLIENT, ("get_counter", number), "read")
    if refused:
        with pytest.raises(InvalidArgument, match="more than 1,000 exposed objects in use"):
            ask(Role.CLIENT, ("get_counter", -1), "read")
    else:
        assert ask(Role.CLIENT, ("get_counter", -1), "read") == -1
    assert ask(Role.CLIENT, ("get_counter", 5), "read") == 5


def test_who_has_connected_with_less_than_the_key_allows_reads_how_to_connect_with_it(bench: Any) -> None:
    peer = bench.client()
    peer.session.verifier = replace(peer.session.verifier, role=Role.ADMIN)
    refused = refusal(bench, peer.session, "get_limits", "set")
    assert str(refused) == (
        "get_limits.set needs the role admin; this key has it, and the program has connected as client: write tq.App(role='admin')"
    )


def test_a_task_reads_that_it_is_the_task_and_not_the_key_that_may_not(bench: Any) -> None:
    worker = bench.client(role=Role.WORKER)
    refused = refusal(bench, worker.session, "get_limits", "set", relayed=True)
    assert str(refused) == (
        "get_limits.set needs the role admin, and a task calls with the role client; call it in a program that has such a key"
    )
