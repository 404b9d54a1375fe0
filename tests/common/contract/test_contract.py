"""The contract is what the master serves, what the client repeats, and what docs/protocol.md says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tq.common.contract.exposed import exposed_methods
from tq.common.contract.method import Method
from tq.common.contract.table import BESIDE, BUILT_IN, is_repeatable
from tq.common.domain.model import Role
from tq.master.objects.shared import ARGUMENTS as SHARED
from tq.master.observe.disk import DiskProbe
from tq.master.parts import EXPOSED as SERVED

ALL = {**BUILT_IN, **BESIDE}
PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocol.md"
OBJECT = re.compile(r'\["(get_\w+)"')
METHOD = re.compile(r"`(\w+)[(`]")
# Where one section is about two objects, its tables say which.
TABLES_OF = {
    "method of an event": "get_event",
    "method of a barrier": "get_barrier",
    "method of the disk": "get_disk",
}


def roles(methods: Mapping[str, Method]) -> dict[str, Role]:
    return {name: method.role for name, method in methods.items()}


def tables(page: str) -> dict[str, dict[str, Role]]:
    """The methods of each object and their roles, as the tables of a page have them."""
    found: dict[str, dict[str, Role]] = {}
    for section in page.split("\n### ")[1:]:
        heading, _, text = section.partition("\n")
        objects = OBJECT.findall(heading)
        table = ""
        for line in text.split("\n"):
            if not line.startswith("|"):
                table = ""
            elif not table:
                first, second = (cell.strip() for cell in line.split("|")[1:3])
                assert second == "role", f"{heading}: a table of methods says their roles"
                table = TABLES_OF.get(first, objects[0])
            elif not line.startswith("|---"):
                cell, role = (cell.strip() for cell in line.split("|")[1:3])
                found.setdefault(table, {}).update(dict.fromkeys(METHOD.findall(cell), Role(role)))
    return found


def own(name: str, methods: Mapping[str, Role]) -> dict[str, Role]:
    """Without what a queue of tasks or results has as a queue of plain values; the page says that in a sentence."""
    inherited = BUILT_IN["get_queue"].methods.keys() if name in ("get_task_queue", "get_result_queue") else ()
    return {method: role for method, role in methods.items() if method not in inherited}


def test_the_master_serves_the_objects_and_methods_of_the_contract_for_their_roles() -> None:
    served = {name: exposed_methods(kind) for name, kind in SERVED.items()}
    assert served == {name: roles(contract.methods) for name, contract in BUILT_IN.items()}
    assert exposed_methods(DiskProbe) == roles(BESIDE["get_disk"].methods)
    assert SHARED.keys() == BESIDE["get_shared"].methods.keys()


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_method_is_one_way_if_it_answers_nothing(name: str) -> None:
    for method, agreed in BUILT_IN[name].methods.items():
        answers = inspect.signature(getattr(SERVED[name], method)).return_annotation
        assert agreed.one_way == (answers in ("None", "NilOrLater")), method


def test_what_would_be_done_twice_is_not_repeated_after_a_lost_connection() -> None:
    once = {
        (name, method)
        for name, contract in BUILT_IN.items()
        for method in contract.methods
        if not is_repeatable(name, method) and name != "get_dispatcher"
    }
    assert once == {
        ("get_data", "delete"),
        ("get_keys", "add"),
        ("get_limits", "remove"),
        ("get_strikes", "remove"),
        ("get_locks", "delete"),
        ("get_locks", "take_away"),
        ("get_outbox", "hand_over"),
        ("get_queues", "delete"),
        ("get_result_queue", "collect"),
        ("get_result_queue", "unwatch"),
        ("get_result_queue", "watch"),
        ("get_schedules", "remove"),
        ("get_tasks", "retry"),
        ("get_tasks", "retry_where"),
        ("get_tenants", "remove"),
    }
    assert not is_repeatable("get_counter", "add")  # a user's own
    assert not is_repeatable("get_shared", "call")


def test_the_page_of_the_protocol_has_every_method_with_its_role_and_no_other() -> None:
    agreed = {name: own(name, roles(contract.methods)) for name, contract in ALL.items()}
    assert tables(PAGE.read_text("utf-8")) == agreed


def test_a_wrong_role_on_the_page_is_found() -> None:
    page = PAGE.read_text("utf-8").replace("| `states(ids)` | viewer |", "| `states(ids)` | admin |")
    assert tables(page)["get_tasks"]["states"] == Role.ADMIN != BUILT_IN["get_tasks"].methods["states"].role
