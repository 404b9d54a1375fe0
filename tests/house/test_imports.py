"""Who may import whom. master, worker and client never meet; common knows none of them; tasks is user code."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

MAY_IMPORT = {
    "common": {"common"},
    "master": {"common", "master"},
    "worker": {"common", "worker"},
    "client": {"common", "client"},
    "tasks": {"tasks"},  # and what `import tq` offers to everybody
    "": {"common", "client"},  # the package itself: no server code with `import tq`
}


# The embedded form is a worker inside a client's program by its definition; imported where it is started, and not before.
EMBEDS = {
    ("client", "local", "cluster"): ("worker", "pools", "thread_worker"),
    # A dry run shows the very bytes that the task would send.
    ("client", "cli", "mail", "files"): ("tasks", "message"),
}


def imported(tree: ast.AST, module: tuple[str, ...], *, is_package: bool) -> Iterator[tuple[str, ...]]:
    """Every module or name below tq that a file imports, as parts below tq; () is tq itself."""
    package = module if is_package else module[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                first, *rest = name.name.split(".")
                if first == "tq":
                    yield tuple(rest)
        elif isinstance(node, ast.ImportFrom):
            source = (node.module or "").split(".") if node.module else []
            if node.level:
                source = [*package[: len(package) - node.level + 1], *source]
            elif source[:1] == ["tq"]:
                source = source[1:]
            else:
                continue
            for name in node.names:
                yield (*source, name.name)


def violations(
    text: str, module: tuple[str, ...], public: set[str], *, is_package: bool = False
) -> list[str]:
    room = module[0] if len(module) > 1 or (module and is_package) else ""
    found = []
    for target in imported(ast.parse(text), module, is_package=is_package):
        if not target or (room == "tasks" and len(target) == 1 and target[0] in public):
            continue
        if (allowed := EMBEDS.get(module)) and target[: len(allowed)] == allowed:
            continue
        if target[0] not in MAY_IMPORT[room] and not (room == "" and len(target) == 1):
            found.append(f"{'.'.join(module) or 'tq'} imports {'.'.join(target)}")
    return found


def module_of(file: Path, root: Path) -> tuple[str, ...]:
    parts = file.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def test_no_room_imports_one_it_must_not_know(root: Path, sources: list[Path]) -> None:
    public = set(importlib.import_module("tq").__all__)
    found = []
    for file in sources:
        is_package = file.name == "__init__.py"
        text = file.read_text("utf-8")
        found += violations(text, module_of(file, root), public, is_package=is_package)
    assert not found, "\n".join(found)


def test_imports_inside_the_package_are_relative(root: Path, sources: list[Path]) -> None:
    found = []
    for file in sources:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if any(name.split(".")[0] == "tq" for name in names) and module_of(file, root)[:1] != ("tasks",):
                found.append(str(file.relative_to(root)))
    assert not found


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from ..worker.agent import Agent", ("master", "server")),
        ("from .. import client", ("master", "server")),
        ("def f():\n    from ...client import app", ("master", "store", "sqlite")),
        ("import tq.master.engine.engine", ("worker", "agent")),
        ("from tq.client import app", ("common", "codec")),
        ("from ..client.app import App", ("common", "link")),
        ("from tq.common import codec", ("tasks", "mail")),
        ("from ..common.codec import encode", ("tasks", "mail")),
        ("from .master.engine import Engine", ("",)),
    ],
)
def test_a_planted_violation_is_found(text: str, module: tuple[str, ...]) -> None:
    module = tuple(filter(None, module))
    assert violations(text, module, {"App", "Retry"}, is_package=not module)


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from ..common.codec import encode", ("master", "server")),
        ("from .store.interface import Store", ("master", "engine")),
        ("from ...common import ids", ("master", "store", "sqlite")),
        ("import tq", ("tasks", "mail")),
        ("from tq import Retry, App", ("tasks", "mail")),
        ("from .. import Retry", ("tasks", "mail")),
        ("import mastery, asyncio", ("worker", "agent")),
        ("from .client.app import App", ()),
    ],
)
def test_what_is_allowed_is_not_complained_of(text: str, module: tuple[str, ...]) -> None:
    assert not violations(text, module, {"App", "Retry"}, is_package=not module)
