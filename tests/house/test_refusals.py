"""What catches a TqError in the master, to answer one caller with it, passes on one that voids the whole transaction (``voids``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .syntax import nodes, parsed

NO_STORE: Final = {
    "master/api/registry.py": "judges calls before they are performed",
    "master/data/named_values.py": "measures a value in memory",
    "master/data/types.py": "calls a value in memory",
    "master/gateway/connection.py": "is a client",
    "master/gateway/options.py": "is a client",
    "master/net/connection.py": "judges frames and handshakes",
    "master/net/engine_port.py": "judges calls before they are performed",
    "master/standby/door.py": "judges frames",
    "master/objects/shared.py": "calls what a user exposes, in threads",
    "master/app.py": "starts and ends the program",
    "master/check.py": "starts no engine",
    "master/cli.py": "starts and ends the program",
    "master/shared_cluster.py": "starts an engine",
}
"""Whose handlers stand around nothing that asks the store."""


def _unguarded(tree: ast.Module) -> Iterator[int]:
    """Lines of handlers of TqError that neither ask ``voids`` nor stand behind one of StoreError."""
    for node in nodes(tree):
        if not isinstance(node, ast.Try):
            continue
        is_behind = False
        for handler in node.handlers:
            caught = "" if handler.type is None else ast.unparse(handler.type)
            if "TqError" in caught and not is_behind and "voids(" not in ast.unparse(handler):
                yield handler.lineno
            is_behind |= "StoreError" in caught


def test_no_caller_is_answered_with_an_error_by_which_the_transaction_of_all_others_is_void(
    root: Path, sources: list[Path]
) -> None:
    found = {
        str(path.relative_to(root)): list(_unguarded(parsed(path.read_text("utf-8")))) for path in sources
    }
    lines = {file: lines for file, lines in found.items() if lines and file.startswith("master/")}
    assert {file: where for file, where in lines.items() if file not in NO_STORE} == {}
    assert lines.keys() >= NO_STORE.keys(), "one of these catches no TqError any more: take it from the list"


def test_a_handler_that_answers_with_whatever_was_raised_is_seen() -> None:
    bad = "try:\n    f()\nexcept TqError as error:\n    call.refuse(error)\n"
    good = "try:\n    f()\nexcept TqError as error:\n    if voids(error):\n        raise\n    call.refuse(error)\n"
    assert list(_unguarded(ast.parse(bad))) == [3]
    assert list(_unguarded(ast.parse(good))) == []
