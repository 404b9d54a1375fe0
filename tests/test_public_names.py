"""What ``import tq`` offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tq
from tq.common import errors
from tq.common.domain import directives


def test_every_public_name_can_be_had() -> None:
    for name in tq.__all__:
        assert getattr(tq, name) is not None, name
        assert name in dir(tq)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tq.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(tq._OF_AN_APP))
def test_what_is_of_an_app_is_said_to_be(name: str) -> None:
    assert hasattr(tq.App, name)
    with pytest.raises(AttributeError, match=rf"of an app: app = tq\.App\(\), then app\.{name}"):
        getattr(tq, name)


def test_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse(Path(str(tq.__file__)).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert {name.asname for node in imports for name in node.names} | {"__version__"} == set(tq.__all__)


def test_every_error_of_the_tree_is_public() -> None:
    tree = {
        name
        for name, kind in {**vars(errors), **vars(directives)}.items()
        if isinstance(kind, type) and issubclass(kind, BaseException) and not name.startswith("_")
    }
    assert tree - {"Directive", "Portable"} <= set(tq.__all__)


def test_importing_tq_loads_nothing_heavy() -> None:
    """Nor does defining tasks: what is heavy comes with the first connection."""
    program = (
        "import sys; import tq\n"
        "assert not {'typing', 'dataclasses', 'tq.client'} & set(sys.modules), set(sys.modules)\n"
        "@tq.App().task(retries=2)\n"
        "def job(): ...\n"
        "heavy = {'asyncio', 'ssl', 'msgpack', 'cryptography', 'uvloop', 'logging', 'concurrent.futures'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-S", "-c", _with_path(program)], check=True, timeout=30)


def _with_path(program: str) -> str:
    """``-S`` leaves out site, which loads modules of its own; the path is handed over instead."""
    return f"import sys; sys.path[:] = {sys.path!r}\n{program}"
