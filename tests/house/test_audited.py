"""Each method that changes something stands in the audit log, or here with the reason why it does not."""

from __future__ import annotations

from typing import Final

import pytest
from tq.common.contract.table import BUILT_IN
from tq.common.domain.model import Role
from tq.master.api.methods import methods_of
from tq.master.parts import EXPOSED

LOOKS: Final = "it only looks"
# Methods for admins, one by one: a new one is here only with a reason of its own.
ADMINS: Final = {
    ("get_keys", "list"): LOOKS,
    ("get_strikes", "check"): LOOKS,
    ("get_tenants", "plan"): "what is set then is",
}
# Objects with which programs do their own work: methods of these for clients and workers. Others, one by one.
OWN_WORK: Final = {
    "get_task_queue": "submits, and what a program puts into its queues",
    "get_result_queue": "what a program waits for",
    "get_queue": "what a program puts into its queues",
    "get_lock": "what a program holds",
    "get_event": "what a program sets for others that wait for it",
    "get_barrier": "where a program waits",
    "get_datum": "a program's values",
    "get_blobs": "content of a program's tasks",
    "get_dispatcher": "what a worker does with the tasks that it is given; how each ended stands with the task",
    "get_outbox": "a program's own tasks, on their way to a queue",
    "get_steps": "a program's steps; who sent a signal stands with the signal",
}
OTHERS: Final = {
    ("get_schedules", "declare"): "what a worker has in its code, at each of its starts",
    ("get_flows", "open"): "a program's own tasks",
    ("get_flows", "seal"): "a program's own tasks",
    ("get_flows", "call_back"): "a program's own tasks",
    ("get_dependencies", "results"): LOOKS,
    ("get_dependencies", "missing"): LOOKS,
}
METHODS: Final = [
    (name, method, agreed)
    for name, contract in BUILT_IN.items()
    for method, agreed in contract.methods.items()
]


def test_a_method_that_changes_something_is_audited_or_says_why_not() -> None:
    silent = [
        f"{name}.{method}"
        for name, method, agreed in METHODS
        if agreed.role != Role.VIEWER
        and agreed.audited is None
        and (name, method) not in (ADMINS if agreed.role == Role.ADMIN else OTHERS)
        and not (agreed.role in (Role.CLIENT, Role.WORKER) and name in OWN_WORK)
    ]
    assert silent == [], "give it audited=Audited(…) in its contract, or a reason here"


def test_no_reason_is_of_a_method_that_is_audited_or_is_not_there() -> None:
    known = {(name, method): agreed for name, method, agreed in METHODS}
    for place in (*ADMINS, *OTHERS):
        assert known[place].audited is None, place
    assert OWN_WORK.keys() <= BUILT_IN.keys()


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, method, agreed in METHODS if agreed.audited is not None]
)
def test_what_an_audited_method_names_is_a_parameter_of_it_or_of_its_object(name: str, method: str) -> None:
    exposed = methods_of(EXPOSED[name], name)[method]
    assert exposed.audited is not None
    assert not exposed.reads, "viewers change nothing"
    of = exposed.audited.of
    parameters = exposed._signature.parameters
    if not of:
        return
    assert of in parameters or (method in ("pause", "resume") and of == "name")
    assert of not in parameters or parameters[of].default is parameters[of].empty
