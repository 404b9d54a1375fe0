"""Every callback of a loop contains what it raises: its connection is closed, or its timer armed again.

What is not ``@contained`` stands below with the reason why nothing can be left open by it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from .syntax import nodes, parsed

TIMERS: Final = {
    "call_soon": 0,
    "call_later": 1,
    "call_at": 1,
    "call_soon_threadsafe": 0,
    "add_reader": 1,
    "add_writer": 1,
}  # and where the callback is
PROTOCOL: Final = {
    "connection_made",
    "data_received",
    "eof_received",
    "connection_lost",
    "pause_writing",
    "resume_writing",
}

# file, callback as it is written: why an exception there leaves nothing open
NAMED: Final = {
    ("master/net/transactions.py", "self._pump"): "arms the next transaction in `finally`",
    ("master/net/turns.py", "self._next_turn"): "tells connections, each of which contains what it raises",
    ("master/net/transactions.py", "self._fire"): "only schedules a transaction",
    (
        "master/net/liveness.py",
        "then",
    ): "a deadline of the connection's or of this class, each of them contained",
    ("master/gateway/connection.py", "transport.abort"): "asyncio's own; there is nothing behind it",
    ("master/gateway/connection.py", "self.end"): "the one way out itself",
    ("common/wire/transport.py", "tcp.abort"): "asyncio's own; there is nothing behind it",
    ("common/runtime/http.py", "self.end"): "the one way out itself",
    ("common/runtime/health.py", "self._beat"): "arms the next beat in `finally`",
    (
        "worker/pools/thread_worker.py",
        "step",
    ): "the supervisor's `drain` or `stop`, by the program that started it",
    ("worker/child/coroutines.py", "task.cancel"): "asyncio's own; there is nothing behind it",
    ("worker/pools/processes.py", "died"): "`ChildHandle._died`, which is contained",
    (
        "worker/supervisor/runner_pool.py",
        "lambda: retired.signal(kill=True)",
    ): "sends a signal to a process of ours",
    ("master/standby/displacement.py", "act"): "the master takes note that it is displaced",
    (
        "master/waiting_turn.py",
        "standing.looked",
    ): "notes what a thread has seen; the next look comes by itself",
    (
        "master/waiting_turn.py",
        "standing.away",
    ): "notes what a thread has seen; the next look comes by itself",
    ("master/links/links.py", "self._pass_on"): "contains what each pair of shards raises",
    (
        "master/links/elsewhere.py",
        "self._fire",
    ): "contains what shards raise; the next read comes all the same",
    ("master/process_bells.py", "self._read"): "has shards looked at; who rang does so again",
    ("master/sharing.py", "self._looked"): "acts on what a thread has seen; the next look comes by itself",
    (
        "master/sharing.py",
        "self._lost_touch",
    ): "notes what a thread has seen; the next look comes by itself",
    ("master/waiting_turn.py", "standing.fail"): "notes what a thread has seen, and ends the wait",
    ("common/runtime/end_signals.py", "act"): "a signal: the program takes note of it, or ends",
}
ROOMS: Final = ("master", "common", "worker")


class Callback(NamedTuple):
    file: str
    line: int
    text: str
    owner: ast.ClassDef | None


def methods(owner: ast.ClassDef | None) -> dict[str, ast.FunctionDef]:
    return (
        {} if owner is None else {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
    )


def is_contained(method: ast.FunctionDef | None) -> bool:
    return method is not None and any(ast.unparse(one) == "contained" for one in method.decorator_list)


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in nodes(tree) if isinstance(node, ast.ClassDef))


def callbacks(file: str, tree: ast.Module) -> Iterator[Callback]:
    owners = {id(node): owner for owner in classes(tree) for node in ast.walk(owner)}
    for node in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TIMERS:
            at = TIMERS[node.func.attr]
            if len(node.args) > at:
                yield Callback(file, node.lineno, ast.unparse(node.args[at]), owners.get(id(node)))


@pytest.fixture(scope="module")
def trees(root: Path, sources: list[Path]) -> dict[str, ast.Module]:
    found = {str(path.relative_to(root)): parsed(path.read_text("utf-8")) for path in sources}
    return {file: tree for file, tree in found.items() if file.split("/")[0] in ROOMS}


def test_each_callback_that_a_loop_is_given_is_contained_or_named_with_a_reason(
    trees: dict[str, ast.Module],
) -> None:
    open_ones = []
    for file, tree in trees.items():
        for found in callbacks(file, tree):
            method = methods(found.owner).get(found.text.removeprefix("self."))
            if not is_contained(method) and (file, found.text) not in NAMED:
                open_ones.append(f"{file}:{found.line}: {found.text}")
    assert not open_ones


def test_each_method_of_a_protocol_that_a_transport_calls_is_contained(trees: dict[str, ast.Module]) -> None:
    open_ones = [
        f"{file}: {owner.name}.{name}"
        for file, tree in trees.items()
        for owner in classes(tree)
        if any("Protocol" in ast.unparse(base) and "asyncio" in ast.unparse(base) for base in owner.bases)
        for name, method in methods(owner).items()
        if name in PROTOCOL and not is_contained(method)
    ]
    assert not open_ones


def test_each_exception_that_is_named_here_is_in_the_code(trees: dict[str, ast.Module]) -> None:
    there = {(found.file, found.text) for file, tree in trees.items() for found in callbacks(file, tree)}
    assert not set(NAMED) - there


def test_what_contains_has_one_way_out(trees: dict[str, ast.Module]) -> None:
    for file, tree in trees.items():
        for owner in classes(tree):
            if any(is_contained(method) for method in methods(owner).values()):
                assert "broke" in methods(owner), f"{file}: {owner.name} needs `broke`"
