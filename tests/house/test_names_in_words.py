"""What docstrings and comments name exists: files by their path, classes of modules, and what classes have."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
import tq

from .syntax import nodes, parsed
from .test_imports import Module, module_of

pytestmark = pytest.mark.timeout(180)  # the first test of a process parses every file, tests too

ROOMS: Final = (
    "client",
    "common",
    "master",
    "worker",
    "tasks",
    "web",
    "tests",
    "docs",
    "configs",
    "examples",
    "benchmarks",
)
COMMENT: Final = re.compile(r"(?:^ *|  )#.*$", re.MULTILINE)
FILE: Final = re.compile(r"(?<![\w/.$<~{:*-])((?:[\w-]+/)*[\w-]+\.(?:py|sql|md|toml|service|yml))\b(?![*\w])")
FOLDER: Final = re.compile(rf"(?<![\w/.$<~{{:*-])((?:{'|'.join(ROOMS)})/[\w/-]*\w)(?![\w*-]|\.\w|/\w|/?\{{)")
DOTTED: Final = re.compile(r"``((?:\w+\.)+[A-Z]\w*[a-z]\w*)(?:\.(\w+))?(?=[`(.: ])")
MEMBER: Final = re.compile(r"``([A-Z]\w*[a-z]\w*)\.([a-z_]\w*)")
# Names of files that are examples, or that programs make or read where they run.
EXAMPLES: Final = {
    "tests/docs/pages.py": {"jobs.py"},
    "worker/child/loading.py": {"file.py", "path/to/file.py"},
}
DEFINITIONS: Final = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
DESCRIBED: Final = (ast.Module, *DEFINITIONS)
NAMES: Final = (ast.Name, ast.Attribute)
EXTERNAL: Final = {
    *sys.stdlib_module_names,
    "msgpack",
    "cryptography",
    "numpy",
    "pytest",
    "module",
    "manager",
}


@cache
def words(text: str) -> list[tuple[int, str]]:
    """Docstrings and comments, each with its line."""
    found = [(text.count("\n", 0, match.start()) + 1, match[0]) for match in COMMENT.finditer(text)]
    for node in nodes(parsed(text)):
        if isinstance(node, DESCRIBED) and (docstring := ast.get_docstring(node, clean=False)):
            found.append((getattr(node, "lineno", 1), docstring))
    return found


def named_paths(text: str) -> Iterator[tuple[int, str]]:
    for line, said in words(text):
        for pattern in (FILE, FOLDER):
            yield from ((line, match[1]) for match in pattern.finditer(said))


class Tree:
    """The paths there are."""

    def __init__(self, paths: set[str]) -> None:
        self.paths = paths | {str(folder) for path in paths for folder in Path(path).parents}
        self.ends: dict[str, set[str]] = defaultdict(set)
        for path in self.paths:
            self.ends[Path(path).name].add(path)

    def has(self, said: str, file: str) -> bool:
        """``said`` in ``file``: from the root, beside the file, or in a folder above it (or of what it tests)."""
        above = [str(folder) for folder in Path(file).parents]
        above += [folder.removeprefix("tests/") for folder in above]
        return any(str(Path(folder) / said) in self.paths for folder in above)


@pytest.fixture(scope="module")
def texts(root: Path, files: list[Path]) -> dict[str, str]:
    """All Python files by their path."""
    return {
        file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files if file.suffix == ".py"
    }


@pytest.mark.timeout(180)  # it reads every Python file twice
def test_every_path_in_a_docstring_or_comment_exists(
    root: Path, files: list[Path], texts: dict[str, str]
) -> None:
    tree = Tree({file.relative_to(root).as_posix() for file in files})
    missing = [
        f"{file}:{line}: {path}"
        for file, text in texts.items()
        for line, path in named_paths(text)
        if not tree.has(path, file) and path not in EXAMPLES.get(file, ())
    ]
    assert missing == []


def members(node: ast.ClassDef) -> set[str]:
    """What a class has: methods, fields, and attributes that its methods set."""
    found = set()
    for inner in ast.walk(node):
        if isinstance(inner, DEFINITIONS):
            found.add(inner.name)
        elif isinstance(inner, NAMES) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id if isinstance(inner, ast.Name) else inner.attr)
    return found


class Classes:
    """The classes of the package: where each is defined or imported, what it has, and what it is made of."""

    def __init__(self, texts: dict[Module, str]) -> None:
        self.members: dict[str, set[str]] = defaultdict(set)
        self.bases: dict[str, set[str]] = defaultdict(set)
        self.of: dict[Module, set[str]] = {}
        for module, text in texts.items():
            tree = parsed(text)
            names = {
                alias.asname or alias.name
                for node in nodes(tree)
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
            names |= {
                node.id
                for node in nodes(tree)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
            for node in nodes(tree):
                if isinstance(node, ast.ClassDef):
                    names.add(node.name)
                    self.members[node.name] |= members(node)
                    self.bases[node.name] |= {
                        ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases
                    }
            self.of[module] = names

    def has(self, path: list[str], name: str) -> bool:
        """Whether a module, or a module of a package, whose path ends so has this name."""
        wanted = tuple(path)
        return any(
            name in names
            for module, names in self.of.items()
            if module[-len(wanted) :] == wanted or module[:-1][-len(wanted) :] == wanted
        )

    def lacks(self, name: str, member: str) -> bool:
        """Whether the package's class is known, with all its bases, not to have this."""
        if name not in self.members or member in self.members[name]:
            return False
        return all(base in self.members and self.lacks(base, member) for base in self.bases[name])


@pytest.fixture(scope="module")
def classes(root: Path, sources: list[Path]) -> Classes:
    return Classes({module_of(file, root): file.read_text("utf-8") for file in sources})


def stale(text: str, classes: Classes) -> list[str]:
    """``module.Class`` and ``Class.member`` in words of a source that there are not."""
    found = []
    for _, said in words(text):
        for match in DOTTED.finditer(said):
            *path, name = match[1].split(".")
            if path == ["tq"]:
                known = hasattr(tq, name)
            else:
                known = path[0] in EXTERNAL or classes.has(path, name) or path[-1] in classes.members
            if not known or (match[2] and path[0] not in EXTERNAL and classes.lacks(name, match[2])):
                found.append(match[0].strip("`"))
        found += [match[0].strip("`") for match in MEMBER.finditer(said) if classes.lacks(match[1], match[2])]
    return found


def test_every_class_and_member_that_a_docstring_or_comment_names_exists(
    texts: dict[str, str], classes: Classes
) -> None:
    missing = [f"{file}: {name}" for file, text in texts.items() for name in stale(text, classes)]
    assert missing == []


def test_a_path_that_does_not_exist_would_be_found() -> None:
    tree = Tree({"master/a.py", "master/b/c.py"})
    text = '"""See ``a.py``, master/b/ and master/d."""\n# as b/c.py and c.py\n'
    assert [path for _, path in named_paths(text) if not tree.has(path, "master/e.py")] == [
        "c.py",
        "master/d",
    ]


def test_a_class_or_member_that_does_not_exist_would_be_found() -> None:
    classes = Classes({("common", "a"): "class Box:\n    def put(self): ...\nclass Odd(Exception): ..."})
    text = '"""``a.Box``, ``Box.put``, ``Box.get()``, ``a.Pot``, ``Odd.args``, ``queue.Queue``."""'
    assert stale(text, classes) == ["a.Pot", "Box.get"]
