"""Who may import whom. master, worker and client never meet; common knows none of them; the page (web) is a client; tasks is user code. Inside a room
imports go one way, and nowhere in a circle: what only a type checker reads counts as any other import.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .syntax import nodes, parsed

MAY_IMPORT = {
    "common": {"common"},
    "master": {"common", "master"},
    "worker": {"common", "worker"},
    "client": {"common", "client"},
    "web": {"client", "common", "web"},  # a client as any other
    "tasks": {"tasks"},  # and what `import tq` offers to everybody
    "": {"common", "client"},  # the package itself: no server code with `import tq`
}


# The embedded form is a worker inside a client's program by its definition; imported where it is started, and not before.
EMBEDS = {
    ("client", "local", "cluster"): ("worker", "pools", "thread_worker"),
    # A dry run shows the very bytes that the task would send.
    ("client", "cli", "mail", "files"): ("tasks", "message"),
}


# What each folder of the client may import of the client, besides itself: the command and what replaces the standard
# library use the App, the App is a façade of the subjects, and those know a session, never an App.
SUBJECTS = {"tasks", "items", "locks", "blobs", "outbox", "schedules", "flows"}
ABOVE_APP = {"core", *SUBJECTS, "app", "stdlib", "local"}
CLIENT_MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "blobs": {"core"},
    "items": {"core"},
    "locks": {"core"},
    "outbox": {"core"},
    "tasks": {"core", "blobs", "outbox"},  # arguments and results have blobs in them; submits may be rows
    "schedules": {"core", "tasks"},  # they make tasks
    "flows": {"core", "tasks"},  # they are of tasks
    "app": {"core", *SUBJECTS},
    "stdlib": ABOVE_APP,
    "local": ABOVE_APP,
    "cli": ABOVE_APP,
}

# What each folder of the master may import of the master, besides itself. The engine knows no subject; a subject knows the
# engine and what it exposes its objects with; the top, where a master is put together, knows all of them.
LOWER = {"engine", "store", "api"}  # ``store``: its interface, and the names of files in the data directory
# Those that may import more, or less, than a subject.
MASTER_MAY_IMPORT: dict[str, set[str]] = {
    "store": set(),
    "engine": {"store"},
    "api": {"engine", "store"},
    "objects": {*LOWER, "data"},  # a manager's dict is the same dict with and without a name
    "tasks": {*LOWER, "limits", "strikes", "tenants"},  # they start as these allow
    "workers": {*LOWER, "tasks"},  # they are given tasks, and end them
    "schedules": {*LOWER, "tasks"},  # they make tasks
    "flows": {*LOWER, "tasks"},  # they are of tasks
    "outbox": {*LOWER, "tasks"},  # its rows are submits of tasks
    "steps": {*LOWER, "tasks"},  # they are of tasks
    "dependencies": {*LOWER, "tasks"},  # they unblock tasks, and end them
    "edges": {*LOWER, "tasks", "dependencies"},  # needs between shards
    "observe": {*LOWER, "tasks", "items", "workers", "strikes", "keys"},  # what people see of all of them
    "net": {*LOWER, "blobs", "keys"},
    "gateway": {*LOWER, "items", "keys", "net"},  # stock clients speak to item queues
}
INTERFACE, SQLITE = ("store", "interface"), ("store", "sqlite")
POSTGRES = ("store", "postgres")  # works on a copy in SQLite, with the same statements
# What stands against that, and why.
MASTER_EXCEPTIONS = {
    ("items.consumers", "tasks.dispatch"): "items become tasks",
    ("items.consumers", "tasks.origins"): "and their results become items",
    ("items.consumers", "tasks.routes"): "of a queue and a callable",
    (
        "tasks.calls",
        "items.calls",
    ): "a task queue is a queue of plain values as well, as in the well-known tutorial",
    ("tasks.calls", "blobs.blobs"): "a task may name content",
    ("tasks.completion", "blobs.blobs"): "so may a result",
    ("tasks.explain", "workers.membership"): "why a task waits is a question about workers",
    ("tasks.explain_placing", "workers.membership"): "which worker comes nearest is one, too",
    ("tasks.explain_serving", "workers.membership"): "which workers would be given a task is one, too",
    ("tasks.position", "workers.membership"): "how fast those are",
    (
        "tasks.queries",
        "workers.membership",
    ): "how many reasons are looked for depends on how many workers there are",
    ("tasks.shown", "workers.membership"): "workers report which tasks run",
    (
        "workers.calls",
        "items.consumers",
    ): "a worker announces the queues to whose items it applies a callable",
}

Module = tuple[str, ...]


def imported(tree: ast.AST, module: tuple[str, ...], *, is_package: bool) -> Iterator[tuple[str, ...]]:
    """Every module or name below tq that a file imports, as parts below tq; () is tq itself."""
    package = module if is_package else module[:-1]
    for node in nodes(tree):
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
    for target in imported(parsed(text), module, is_package=is_package):
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


def violations_in_client(text: str, module: Module, *, is_package: bool = False) -> list[str]:
    """``module``: below client."""
    allowed = {module[0], *CLIENT_MAY_IMPORT[module[0]]}
    found = []
    for target in imported(parsed(text), ("client", *module), is_package=is_package):
        if target[:1] == ("client",) and len(target) > 1 and target[1] not in allowed:
            found.append(f"client.{'.'.join(module)} imports {'.'.join(target)}")
    return found


def test_in_the_client_imports_go_from_the_command_to_the_session_and_never_back(
    root: Path, sources: list[Path]
) -> None:
    found = []
    for file in sources:
        room, *module = module_of(file, root) or ("",)
        if room == "client" and module:
            is_package = file.name == "__init__.py"
            found += violations_in_client(file.read_text("utf-8"), tuple(module), is_package=is_package)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from ..app import App", ("tasks", "handle")),
        ("if TYPE_CHECKING:\n    from ..app import App", ("core", "session")),
        ("from ..tasks.outcomes import Row", ("core", "io_thread")),
        ("from ..stdlib.exceptions import broken", ("tasks", "task")),
        ("from ..locks.locks import Lock", ("items", "queue")),
        ("from .cli.output import plain", ("app",)),
    ],
)
def test_an_import_against_the_direction_is_found(text: str, module: Module) -> None:
    assert violations_in_client(text, module)


def violations_in_master(text: str, module: Module, *, is_package: bool = False) -> set[tuple[str, str]]:
    """``module``: below master. Pairs of who imports, and what."""
    found = set()
    for target in imported(parsed(text), ("master", *module), is_package=is_package):
        _, *of_master = target if target[:1] == ("master",) and len(target) > 2 else ("",)
        if not of_master or len(module) == 1:
            continue
        folder, known = tuple(of_master[:2]), {module[0], *MASTER_MAY_IMPORT.get(module[0], LOWER)}
        is_backends = folder == SQLITE and module[:2] not in (SQLITE, POSTGRES)
        is_upward = module[:2] == INTERFACE and folder != INTERFACE
        if of_master[0] not in known or is_backends or is_upward:
            depth = 3 if folder in (INTERFACE, SQLITE) else 2
            found.add((".".join(module), ".".join(of_master[:depth])))
    return found


def test_in_the_master_imports_go_from_the_top_to_the_engine_and_its_stores_interface(
    root: Path, sources: list[Path]
) -> None:
    found = set()
    for file in sources:
        room, *module = module_of(file, root) or ("",)
        if room == "master" and module:
            is_package = file.name == "__init__.py"
            found |= violations_in_master(file.read_text("utf-8"), tuple(module), is_package=is_package)
    assert found == set(MASTER_EXCEPTIONS)


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from ..tasks.routes import Routes", ("engine", "engine")),
        ("def f():\n    from ..locks import claims", ("engine", "presence")),
        ("from ..api.registry import Registry", ("engine", "engine")),
        ("from ..app import MasterResources", ("net", "server")),
        ("from ..parts import EXPOSED", ("api", "registry")),
        ("from ..items.items import Items", ("locks", "calls")),
        ("from ..observe.overview import queue_rows", ("tasks", "calls")),
        ("from ..store.sqlite.blobs import BlobRow", ("blobs", "blobs")),
        ("from ..sqlite.store import SqliteStore", ("store", "interface", "store")),
        ("from ...engine.clock import Now", ("store", "sqlite", "store")),
    ],
)
def test_an_import_in_the_master_against_the_direction_is_found(text: str, module: Module) -> None:
    assert violations_in_master(text, module)


def graph_of(texts: dict[Module, str], packages: set[Module]) -> dict[Module, set[Module]]:
    """Which modules each imports, whenever it does."""
    graph: dict[Module, set[Module]] = {}
    for module, text in texts.items():
        targets = imported(parsed(text), module, is_package=module in packages)
        known = {target if target in texts else target[:-1] for target in targets}
        graph[module] = {target for target in known if target and target in texts and target != module}
    return graph


def circles(graph: dict[Module, set[Module]]) -> list[set[Module]]:
    """The largest sets of modules of which each is reached from each (Tarjan's strongly connected components)."""
    places: dict[Module, int] = {}
    lowest: dict[Module, int] = {}
    stack: list[Module] = []
    found: list[set[Module]] = []

    def visit(module: Module) -> None:
        places[module] = lowest[module] = len(places)
        stack.append(module)
        for target in graph[module]:
            if target not in places:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], places[target])
        if lowest[module] == places[module]:
            start = stack.index(module)
            if len(stack) > start + 1:
                found.append(set(stack[start:]))
            del stack[start:]

    for module in graph:
        if module not in places:
            visit(module)
    return found


def test_no_modules_import_one_another_in_a_circle(root: Path, sources: list[Path]) -> None:
    texts = {module_of(file, root): file.read_text("utf-8") for file in sources}
    packages = {module_of(file, root) for file in sources if file.name == "__init__.py"}
    found = [{".".join(module) for module in circle} for circle in circles(graph_of(texts, packages))]
    assert found == []


def test_a_planted_circle_is_found_whatever_the_import_is_for() -> None:
    texts = {
        ("common", "a"): "from .b import B",
        ("common", "b"): "def f():\n    from . import c",
        ("common", "c"): "if TYPE_CHECKING:\n    from .a import A",
        ("common", "d"): "from .a import A",
    }
    assert circles(graph_of(texts, set())) == [{("common", "a"), ("common", "b"), ("common", "c")}]


def test_imports_inside_the_package_are_relative(root: Path, sources: list[Path]) -> None:
    found = []
    for file in sources:
        for node in nodes(parsed(file.read_text("utf-8"))):
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
        ("from ..master.observe.overview import snapshot", ("web", "watching")),
        ("from ..web.command import web", ("client", "cli")),
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
