"""Values from outside are described by ``common/values/brief.py``, for Python's own ``repr`` of them may raise."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .syntax import nodes, parsed

OWN = {"common/values/brief.py", "common/errors.py"}  # itself; and below it, of a code that is text


def shortened(text: str) -> list[int]:
    """Lines of f-strings that make a whole ``repr`` to show its beginning: of a value of unknown size."""
    return [
        node.lineno
        for node in nodes(parsed(text))
        if isinstance(node, ast.FormattedValue)
        and node.conversion == ord("r")
        and node.format_spec is not None
    ]


@pytest.mark.parametrize("room", ["master", "common"])
def test_no_refusal_makes_the_repr_of_a_value_from_outside(root: Path, room: str) -> None:
    found = [
        f"{name}:{line}: use brief(value)"
        for file in sorted((root / room).rglob("*.py"))
        if (name := str(file.relative_to(root))) not in OWN
        for line in shortened(file.read_text("utf-8"))
    ]
    assert not found


def test_such_a_line_would_be_found() -> None:
    assert shortened('f"not {value!r:.40}"') == [1]
    assert shortened('f"not {brief(value)}, nor {name!r}"') == []
