"""Nothing writes to a terminal but ``common/runtime/terminal.py``: what others wrote is cleaned there, and nowhere forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .syntax import nodes, parsed

WRITERS = {
    "client/local/cluster.py",  # asks whether the program was started with them
    "common/runtime/terminal.py",
    "common/runtime/console.py",
    "common/runtime/logs.py",  # its values are quoted: tests/common/runtime/test_logs.py
    "common/runtime/parent_death.py",  # a number, before anything is imported
    "master/copying.py",  # numbers, and names of tables
    "worker/child/fork_guard.py",  # a task's own process: its stderr is read by its worker, which cleans
    "worker/child/loop.py",  # the same
}
HARMLESS = {"isatty", "fileno", "flush", "encoding"}
OF_CLICK = {"echo", "echo_via_pager", "secho", "style", "confirm", "prompt"}


def stray(tree: ast.AST) -> Iterator[str]:
    """What writes to a stream by itself, or takes hold of one."""
    of_rich = {
        one.name
        for node in nodes(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich")
        for one in node.names
    }
    harmless = {
        id(node.value) for node in nodes(tree) if isinstance(node, ast.Attribute) and node.attr in HARMLESS
    }
    for node in nodes(tree):
        match node:
            case ast.Attribute(
                value=ast.Name(id="sys"), attr=("stdout" | "stderr" | "__stdout__" | "__stderr__") as name
            ):
                if id(node) not in harmless:
                    yield f"line {node.lineno}: sys.{name}"
            case ast.Attribute(value=ast.Name(id="click"), attr=name) if name in OF_CLICK:
                yield f"line {node.lineno}: click.{name}"
            case ast.Call(func=ast.Name(id=("print" | "Console") as name)):
                yield f"line {node.lineno}: {name}()"
            case ast.Call(func=ast.Name(id=("Live" | "Progress") as name), keywords=given) if name in of_rich:
                if "console" not in {one.arg for one in given}:
                    yield f"line {node.lineno}: {name}() without a console of ours"
            case ast.ImportFrom(module=("sys" | "click" | "rich" | "rich.console"), names=names):
                wrong = {one.name for one in names} & {
                    "stdout",
                    "stderr",
                    "Console",
                    "print",
                    "get_console",
                    *OF_CLICK,
                }
                yield from (f"line {node.lineno}: {name}" for name in sorted(wrong))


def test_nothing_writes_to_a_terminal_but_the_one_writer(root: Path, sources: list[Path]) -> None:
    found = []
    for file in sources:
        place = file.relative_to(root).as_posix()
        if (
            place.split("/")[0] in ("client", "common", "master", "worker", "tasks", "web")
            and place not in WRITERS
        ):
            found += [f"{place}, {one}" for one in stray(parsed(file.read_text("utf-8")))]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "print(x)",
        "sys.stdout.write(x)",
        "write = sys.stdout.write",
        "file = sys.stderr",
        "json.dump(x, sys.stdout)",
        "sys.stdout.buffer.write(x)",
        "click.echo(x)",
        "click.confirm(x)",
        "from rich.console import Console",
        "from click import echo",
        "Console().print(x)",
        "from rich.progress import Progress\nProgress()",
        "from rich import print",
    ],
)
def test_the_test_itself_finds_it(line: str) -> None:
    assert list(stray(parsed(line)))


def test_the_test_itself_lets_through_what_writes_nothing() -> None:
    assert not list(stray(parsed("sys.stdout.isatty()\nwrite(x)\nconsole(stderr=True).print(x)")))
