"""Every action that a program logs has a sentence for people, and every sentence belongs to an action that is logged."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest
from tq.common.runtime.callbacks import MASTER, WORKER
from tq.common.runtime.logs import SENTENCES

from .syntax import nodes, parsed

TABLE: Final = "common/runtime/logs.py"
LOGGING: Final = {"report", "_report", "event"}  # names of the functions that write a record
ACTION: Final = re.compile(r"[a-z]+\.[a-z_]+")
# Calls whose action was handed to them, as the source says it, and the file that says which there are.
HANDED: Final = {
    ("common/runtime/callbacks.py", "f'{program}.out_of_memory'"): "common/runtime/callbacks.py",
    ("common/runtime/callbacks.py", "f'{program}.bug'"): "common/runtime/callbacks.py",
    ("common/runtime/limited_log.py", "self._action"): "common/runtime/limited_log.py",
    ("worker/agent/watchdog.py", "ACTIONS[why]"): "worker/agent/watchdog.py",
    ("worker/pools/thread_worker.py", "action"): "worker/supervisor/supervisor.py",
}


def strings(tree: ast.AST) -> set[str]:
    """Every text in some source, and what those make that begin with a program."""
    found = {
        node.value for node in nodes(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for node in nodes(tree):
        if isinstance(node, ast.JoinedStr):
            shown = ast.unparse(node)[2:-1]
            found |= {shown.replace("{program}", program) for program in (MASTER, WORKER)}
    return found


def logged(text: str) -> tuple[set[str], set[str]]:
    """Actions that calls in a source name, and first arguments of those that name none."""
    named: set[str] = set()
    handed: set[str] = set()
    for node in nodes(parsed(text)):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] in LOGGING:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                named |= {first.value} if ACTION.fullmatch(first.value) else set()
            else:
                handed.add(ast.unparse(first))
    return named, handed


@pytest.fixture(scope="module")
def texts(root: Path, sources: list[Path]) -> dict[str, str]:
    """Sources of the programs that log, and of what both use."""
    names = {file.relative_to(root).as_posix(): file for file in sources}
    rooms = ("common/", "master/", "worker/")
    return {
        name: file.read_text("utf-8")
        for name, file in names.items()
        if name.startswith(rooms) and name != TABLE
    }


def test_every_action_that_is_logged_has_a_sentence(texts: dict[str, str]) -> None:
    found = {
        f"{name}: {action}" for name, text in texts.items() for action in logged(text)[0] - SENTENCES.keys()
    }
    assert found == set()


def test_every_sentence_belongs_to_an_action_that_is_logged(texts: dict[str, str]) -> None:
    named = {action for text in texts.values() for action in logged(text)[0]}
    handed = {action for name in HANDED.values() for action in strings(parsed(texts[name]))}
    limited = {
        node.args[1].value
        for text in texts.values()
        for node in nodes(parsed(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("LimitedLog", "RejectionLog")
        if isinstance(node.args[1], ast.Constant)
    }
    assert SENTENCES.keys() - named - handed - limited == set()


def test_an_action_that_a_call_does_not_name_is_named_in_a_file_that_is_known(texts: dict[str, str]) -> None:
    handed = {(name, first) for name, text in texts.items() for first in logged(text)[1]}
    assert handed == HANDED.keys()


def test_no_sentence_ends_with_a_full_stop_or_is_long() -> None:
    assert [action for action, words in SENTENCES.items() if words.endswith(".") or len(words) > 130] == []


def test_an_action_without_a_sentence_would_be_found() -> None:
    assert logged('self._report("a.b", level="info"); report(f"{program}.c"); log.event(action)') == (
        {"a.b"},
        {"f'{program}.c'", "action"},
    )
