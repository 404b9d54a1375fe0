"""Every answer that is asked for is awaited, insisted on, or named here as one that may be lost."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from .syntax import nodes, parsed

ASKING: Final = {
    "start_call",
    "_ask",
    "create_task",
    "ensure_future",
    "run_in_executor",
    "call",
}  # give a future back
ROOMS: Final = ("client", "worker", "common", "master")

# file and method: why nothing is lost with the answer
DROPPABLE: Final = {
    (
        "client/stdlib/proxies.py",
        "start_call",
    ): "a master drops the object by itself when this node is gone",
    (
        "client/stdlib/submission_queue.py",
        "call",
    ): "waited for, its answer says nothing: it is about what was sent before it",
    (
        "client/stdlib/managers.py",
        "call",
    ): "waited for, its answer says nothing: it is about whether a master is there",
    (
        "client/tasks/steering.py",
        "call",
    ): "waited for, the answer to what is set or forgotten says nothing that who set it does not know",
    ("client/tasks/handle.py", "call"): "waited for, the answer to a signal says nothing",
    ("worker/child/lent_slot.py", "call"): "its answer says nothing: the worker knows that the wait is over",
    ("master/gateway/connection.py", "call"): "the engine's: its answer comes to `QueueCalls.send`",
    ("master/gateway/queue_calls.py", "call"): "the engine's: its answer comes to `send`",
    ("master/net/engine_port.py", "call"): "the engine's: its answer leaves by the session's wire",
}


@pytest.fixture(scope="module")
def discarded(root: Path, sources: list[Path]) -> set[tuple[str, str]]:
    """Where a statement is nothing but such a call."""
    found = set()
    for path in sources:
        file = str(path.relative_to(root))
        if file.split("/")[0] not in ROOMS or file.startswith("client/cli"):
            continue
        for node in nodes(parsed(path.read_text("utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                function = node.value.func
                if isinstance(function, ast.Attribute) and function.attr in ASKING:
                    found.add((file, function.attr))
    return found


def test_no_answer_is_asked_for_and_forgotten(discarded: set[tuple[str, str]]) -> None:
    assert discarded <= set(DROPPABLE)


def test_what_is_named_as_droppable_is_in_the_code(discarded: set[tuple[str, str]]) -> None:
    assert set(DROPPABLE) <= discarded
