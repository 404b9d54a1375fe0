"""Tasks by their ids: every method answers a key that may not use a task's queue as if the task did not exist."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from tq.common.contract.exposed import exposed_methods
from tq.common.domain.ids import COMPUTED, ComputedId, key_id, new_ids, proofs, show_id
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import InvalidArgument, TaskConflict, TqError, UnknownTask
from tq.master.parts import EXPOSED
from tq.master.tasks import calls as objects

from ..api.test_registry import GOOD, INFO, LEASE, RUNNING, TARGETS, TASK, filled
from ..conftest import Bench, Peer


def bytes_within(value: Any) -> list[bytes]:
    """All bytes within a value."""
    if isinstance(value, list):
        return [one for inner in value for one in bytes_within(inner)]
    if isinstance(value, dict):
        return bytes_within([*value.values()])
    return [value] if isinstance(value, bytes) else []


ID_PARAMETERS = {"id", "ids", "before", "started", "held", "rows", "tasks"}
# What looks like an id and is not a task's: the content of a hash, tokens that their callers drew, keys, nodes, rows of outboxes; and what
# a worker's task waits for, of which it is given only what it could lease anyhow.
OTHERS = {
    "blobs", "proofs", "payload", "putter", "token", "tokens", "rank", "hash", "data", "caller", "slices", "queues",
    "key_id", "node", "lease", "value", "body", "first", "flow", "key",
    "waiter", "runs", "parent", "unique", "receipt", "receipts", "row",
}  # fmt: skip
NOT_BY_ID = {
    *("get_lock.wait", "get_lock.notify"),  # held: a token
    "get_audit.list",  # before: the number of an entry
    "get_dispatcher.describe",  # rows: of names
}
BY_ID = sorted(called for called, arguments in GOOD.items() if {TASK, RUNNING} & set(bytes_within(arguments)))
STATES = ["ready", "running", "succeeded", "cancelled"]
RESULT = b"the result of a mail"


def test_every_method_that_takes_an_id_is_walked() -> None:
    """A parameter of a new name is to be put into one of the lists above, by a person."""
    named = {
        f"{name}.{method}"
        for name, kind in EXPOSED.items()
        for method in exposed_methods(kind)
        if ID_PARAMETERS & set(inspect.signature(getattr(kind, method)).parameters)
    }
    assert named - NOT_BY_ID == set(BY_ID)
    bytes_like = {
        parameter.name
        for kind in EXPOSED.values()
        for method in exposed_methods(kind)
        for parameter in inspect.signature(getattr(kind, method)).parameters.values()
        if "bytes" in str(parameter.annotation) or "list" in str(parameter.annotation)
    }
    assert bytes_like <= ID_PARAMETERS | OTHERS


def test_no_exposed_object_looks_a_task_up_by_itself() -> None:
    lookups = {"find", "full", "outcomes"}
    for file in Path(objects.__file__).parents[1].rglob("calls.py"):
        asked = {
            node.attr
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Attribute)
            and node.attr in lookups
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "store"
        }
        assert asked == set(), file


def a_mail_task(bench: Bench, state: str) -> tuple[bytes, bytes]:
    """The id of a task in queue mail in a state, and its lease."""
    owner, id, lease = bench.client(), new_ids(), b""
    owner.call("get_task_queue/mail", "submit", "m:f", {}, [[id, b"secret"]])
    if state in ("running", "succeeded"):
        worker = bench.worker("m:f")
        lease, _ = worker.call("get_dispatcher", "lease", 1)
    if state == "succeeded":
        worker.call("get_dispatcher", "finish", [[id, 1, lease, 0, RESULT, 0.0, 0.1, None]])
    if state == "cancelled":
        owner.call("get_tasks", "cancel", [id])
    return id, lease


def stranger(bench: Bench, role: Role) -> Peer:
    peer = Peer(bench, role, new_ids(), ("gpu*",))
    if role in (Role.WORKER, Role.ADMIN):
        peer.call("get_dispatcher", "announce", {**INFO, "queues": None, "tasks": ["m:g"]}, [])
    return peer


def answers(bench: Bench, peer: Peer, called: str, id: bytes) -> list[Any]:
    """What the method answers of an id, and what a watcher gets afterwards; with the id left out."""
    name, _, method = called.partition(".")
    target = (name, *({"get_task_queue": ("gpu",)}.get(name) or TARGETS.get(name, ())))
    said: list[Any] = []
    for ask in (
        lambda: peer.call(target, method, *filled(GOOD[called], {TASK: id, RUNNING: id, LEASE: b"l" * 16})),
        lambda: peer.call("get_tasks", "states", [id]),
    ):
        try:
            said.append(ask())
        except TqError as error:
            said.append((type(error), str(error)))
    if peer.session.role in (Role.CLIENT, Role.ADMIN):
        bench.step()
        waiting = peer.ask(target, "collect", 10) if method in ("watch", "unwatch") else None
        bench.step()
        said.append(peer.answers.pop(waiting, None) if waiting is not None else None)
    shown = repr(said)
    for form in (repr(id), show_id(id)):
        shown = shown.replace(form, "<id>")
    return [shown]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("called", [one for one in BY_ID if one != "get_task_queue.submit"])
def test_a_foreign_task_is_answered_like_one_that_does_not_exist(
    make_bench: Any, called: str, state: str
) -> None:
    name, _, method = called.partition(".")
    needed = exposed_methods(EXPOSED[name])[method]
    roles = {Role.WORKER: (Role.WORKER, Role.ADMIN)}.get(needed, (needed, Role.ADMIN))
    for role in roles:
        bench = make_bench()
        foreign, _ = a_mail_task(bench, state)
        before = bench.engine.store.full(foreign)
        peer = stranger(bench, role)
        said = answers(bench, peer, called, foreign)
        assert said == answers(bench, stranger(bench, role), called, new_ids())
        assert "mail" not in said[0]
        assert "secret" not in said[0]
        assert repr(RESULT) not in said[0]
        assert bench.engine.store.full(foreign) == before


def test_the_owner_sees_what_others_do_not(bench: Any) -> None:
    """Otherwise the walk above would accept methods that answer no key at all."""
    id, _ = a_mail_task(bench, "succeeded")
    owner = bench.client(("mail",), Role.ADMIN)
    assert owner.call("get_tasks", "states", [id]) == [[id, StateNumber.SUCCEEDED]]
    owner.call("get_result_queue/s", "watch", [id])
    assert owner.call("get_result_queue/s", "collect", 10) == [[id, StateNumber.SUCCEEDED, RESULT]]
    assert owner.call("get_tasks", "show", id)["queue"] == "mail"
    assert bench.client(("gpu*",)).call("get_tasks", "states", [id]) == [[id, -1]]


def test_a_watch_that_is_older_than_the_task_learns_nothing_of_it(bench: Any) -> None:
    id = key_id("mail", "m:f", "order-1")
    spy = bench.client(("gpu*",))
    spy.call("get_result_queue/s", "watch", [bytes(id)])
    assert spy.call("get_result_queue/s", "collect", 10) == [[id, -1, None]]
    parked = spy.ask("get_result_queue/s", "collect", 10)
    bench.client().call(
        "get_task_queue/mail", "submit", "m:f", {}, [[bytes(id), b""]], None, None, proofs([id])
    )
    bench.client().call("get_tasks", "cancel", [id])
    assert parked not in spy.answers


def test_an_id_that_is_named_twice_is_one_task(bench: Any) -> None:
    id, _ = a_mail_task(bench, "ready")
    admin = bench.client(role=Role.ADMIN)
    assert admin.call("get_tasks", "cancel", [id, id]) == [[id, StateNumber.CANCELLED]]
    assert admin.call("get_tasks", "retry", [id, id]) == [[id, StateNumber.READY]]
    assert admin.call("get_tasks", "states", [id, id]) == [[id, StateNumber.READY]] * 2
    assert admin.call("get_master", "info")["tasks"] == 1
    assert bench.reports == []


# ids that are computed


def submit(peer: Peer, queue: str, id: bytes, shown: list[list[bytes]], task: str = "m:f") -> Any:
    return peer.call(f"get_task_queue/{queue}", "submit", task, {}, [[bytes(id), b"x"]], None, None, shown)


def test_a_computed_id_cannot_be_taken_in_another_queue(bench: Any) -> None:
    id = key_id("mail", "m:f", "order-1")
    squatter, owner = bench.client(("gpu*",)), bench.client(("mail",))
    others = key_id("gpu", "m:f", "order-1")
    assert others != id
    for shown in (
        None,
        [],
        proofs([id]),
        [[bytes(id), others.proof]],
        [[bytes(id), b""]],
        [[bytes(id), b"p" * 32]],
    ):
        with pytest.raises(InvalidArgument, match="is of a task with a key, and not of m:f in queue gpu"):
            submit(squatter, "gpu", id, shown)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="is of a task with a key, and not of m:g in queue mail"):
        submit(owner, "mail", id, proofs([id]), "m:g")
    assert submit(owner, "mail", id, proofs([id])) == 1
    assert submit(owner, "mail", id, proofs([id])) == 0  # the same task


def test_the_same_key_in_two_queues_is_two_tasks(bench: Any) -> None:
    one, two = (key_id(queue, "m:f", "k") for queue in ("mail", "gpu"))
    owner = bench.client()
    assert submit(owner, "mail", one, proofs([one])) + submit(owner, "gpu", two, proofs([two])) == 2


def test_a_task_with_a_key_and_other_arguments_is_still_a_conflict(bench: Any) -> None:
    id, owner = key_id("mail", "m:f", "k"), bench.client()
    submit(owner, "mail", id, proofs([id]))
    with pytest.raises(TaskConflict):
        owner.call(
            "get_task_queue/mail", "submit", "m:f", {}, [[bytes(id), b"other"]], None, None, proofs([id])
        )


@pytest.mark.parametrize("wrong", [1, "x", {}, [1], [[]], [[b"x"]], [["a", "b"]], [[b"x", b"y", b"z"]]])
def test_proofs_of_another_form_are_refused(bench: Any, wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"proofs are a list of \[id, proof\]"):
        submit(bench.client(), "mail", key_id("mail", "m:f", "k"), wrong)


def test_ids_of_other_kinds_need_no_proof(bench: Any) -> None:
    highest = b"\xff\xff\xff\xfe" + b"\xff" * 12
    assert highest < COMPUTED < key_id("q", "m:f", "k")
    assert submit(bench.client(), "mail", highest, []) == 1
    assert type(new_ids()) is not ComputedId
    assert proofs([new_ids()]) == []


def test_a_key_that_is_bound_drains_only_workers_of_its_own_queues(bench: Any) -> None:
    wide = bench.worker("m:f")
    narrow = Peer(bench, Role.WORKER, new_ids(), ("gpu1",))
    narrow.call("get_dispatcher", "announce", {**INFO, "queues": None}, [])
    admin = bench.client(("gpu*",), Role.ADMIN)
    with pytest.raises(TqError, match="serves queues outside those of this key"):
        admin.call("get_workers", "drain", wide.session.node.hex())
    assert admin.call("get_workers", "drain", narrow.session.node.hex())["host"] == INFO["host"]


def test_an_unknown_task_is_an_error_where_one_task_is_asked_for(bench: Any) -> None:
    with pytest.raises(UnknownTask, match="never submitted here, or kept no longer"):
        bench.client(role=Role.VIEWER).call("get_tasks", "list", {}, 10, new_ids())


def test_the_id_of_a_flow_where_one_of_a_task_is_asked_for_is_answered_with_its_name_and_command(
    bench: Any,
) -> None:
    flow, unnamed, viewer = new_ids(), new_ids(), bench.client(role=Role.VIEWER)
    bench.client().call("get_flows", "open", flow, "nightly")
    bench.client().call("get_flows", "open", unnamed)
    for method in ("show", "log", "why"):
        with pytest.raises(
            UnknownTask,
            match=f"{show_id(flow)} is no task, but the flow nightly: `tq flow show {show_id(flow)}`",
        ):
            viewer.call("get_tasks", method, flow)
    with pytest.raises(UnknownTask, match="the flow without a name"):
        viewer.call("get_tasks", "show", unnamed)
    with pytest.raises(UnknownTask, match="never submitted here"):
        bench.client(("other",), Role.VIEWER).call("get_tasks", "show", flow)


def test_a_bound_key_sees_only_the_number_of_tasks_in_its_queues(bench: Any) -> None:
    client = bench.client()
    for queue in ("good.a", "good.b", "evil"):
        client.call(("get_task_queue", queue), "submit", "m:f", {}, [[new_ids(), b""]])
    bound = bench.client(queues=("good.*",))
    assert bound.call(("get_master",), "info")["tasks"] == 2
    assert client.call(("get_master",), "info")["tasks"] == 3


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("show", []), ("why", []), ("log", []), ("list", [{}, 10])],
    ids=lambda one: str(one),
)
def test_a_run_of_tasks_is_no_id_of_one(bench: Bench, method: str, arguments: list[Any]) -> None:
    client = bench.client()
    for named in ([new_ids(), 5], [new_ids(), 1], new_ids() + b"x", b"", "x" * 16, None):
        if (method, named) == ("list", None):
            continue  # from the newest one on
        with pytest.raises(InvalidArgument, match="a task's id is 16 bytes"):
            client.call("get_tasks", method, *arguments, named)
