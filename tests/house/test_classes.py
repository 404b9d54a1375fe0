"""Classes: none is larger than a person keeps in mind, and a name means one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from .syntax import nodes, parsed

LINES_MAX: Final = 250  # of code and comments: docstrings are the reference, and read one at a time
METHODS_MAX: Final = 25


class Size(NamedTuple):
    lines: int
    methods: int

    def fits(self, lines: int, methods: int) -> bool:
        return self.lines <= lines and self.methods <= methods


def is_method(node: ast.stmt) -> bool:
    """A signature of an overloaded method is a part of that method."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not any(isinstance(name, ast.Name) and name.id == "overload" for name in node.decorator_list)


def docstring_lines(node: ast.AST) -> int:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return 0
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (first.end_lineno or first.lineno) - first.lineno + 1


def classes(text: str) -> Iterator[tuple[str, Size]]:
    for node in nodes(parsed(text)):
        if isinstance(node, ast.ClassDef):
            methods = sum(is_method(inner) for inner in node.body)
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield node.name, Size(lines - sum(map(docstring_lines, nodes(node))), methods)


@pytest.fixture(scope="module")
def sizes(root: Path, sources: list[Path]) -> dict[str, Size]:
    """By ``path:Class``."""
    return {
        f"{file.relative_to(root).as_posix()}:{name}": size
        for file in sources
        for name, size in classes(file.read_text("utf-8"))
    }


def test_no_class_is_larger_than_a_person_keeps_in_mind(sizes: dict[str, Size]) -> None:
    assert {name: size for name, size in sizes.items() if not size.fits(LINES_MAX, METHODS_MAX)} == {}


def test_a_name_means_one_class(sizes: dict[str, Size]) -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name in sizes:
        path, _, bare = name.partition(":")
        places[bare].append(path)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_size_of_a_class_is_counted_with_its_methods() -> None:
    text = 'class A:\n    """A\n    class."""\n    x = 1\n    def f(self):\n        """f"""\n    async def g(self): ...\n'
    assert list(classes(text)) == [("A", Size(4, 2))]
