"""A limit that is written down is applied: a constant that says how many, how large or how long is read somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from .syntax import nodes, parsed
from .test_imports import Module, imported, module_of

LIMIT: Final = re.compile(
    r"_?[A-Z][A-Z0-9_]*_(MAX|MIN|SECONDS|MS|BYTES|KIB|MIB|CHARS|LINES|EVERY|PART|TIMES)"
)

Name = tuple[Module, str]


def defined(tree: ast.Module) -> set[str]:
    """The limits that a module has at its top, or a class at its own."""
    targets: list[ast.expr] = []
    for node in nodes(tree):
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets.append(node.target)
    names = [inner for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)]
    return {name.id for name in names if LIMIT.fullmatch(name.id)}


def read(tree: ast.Module, module: Module, *, is_package: bool = False) -> set[Name]:
    """Limits that a module reads: its own, those that it imports, and those of modules (and classes) that it names."""
    loads = {node.id for node in nodes(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    attributes = {node.attr for node in nodes(tree) if isinstance(node, ast.Attribute)}
    targets = set(imported(tree, module, is_package=is_package))
    found = {(module, name) for name in loads | attributes}
    found |= {(target[:-1], target[-1]) for target in targets if target}
    return found | {
        (place, name) for target in targets for place in (target, target[:-1]) for name in attributes
    }


def unread(texts: dict[Module, str], packages: set[Module]) -> list[str]:
    trees = {module: parsed(text) for module, text in texts.items()}
    reads = {
        name for module, tree in trees.items() for name in read(tree, module, is_package=module in packages)
    }
    limits = {(module, name) for module, tree in trees.items() for name in defined(tree)}
    return sorted(".".join((*module, name)) for module, name in limits - reads)


def test_every_limit_is_applied(root: Path, sources: list[Path]) -> None:
    texts = {module_of(file, root): file.read_text("utf-8") for file in sources}
    packages = {module_of(file, root) for file in sources if file.name == "__init__.py"}
    assert unread(texts, packages) == []


@pytest.mark.parametrize(
    "reader",
    [
        "from .limits import BYTES_MAX\nprint(BYTES_MAX)",
        "from . import limits\nprint(limits.BYTES_MAX)",
        "from .limits import Limits\nprint(Limits.BYTES_MAX)",
    ],
)
def test_a_limit_that_another_module_reads_is_applied(reader: str) -> None:
    texts = {("common", "limits"): "BYTES_MAX = 2", ("common", "reader"): reader}
    assert unread(texts, set()) == []


def test_a_limit_that_only_its_namesake_is_read_of_would_be_found() -> None:
    texts = {("common", "a"): "BYTES_MAX: int = 2", ("common", "b"): "BYTES_MAX = 3\nprint(BYTES_MAX)"}
    assert unread(texts, set()) == ["common.a.BYTES_MAX"]
