"""The table of faults in docs/reliability.md has a row for each fault that is injected and judged, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..faults.tally import HEAD

ROOT: Final = Path(__file__).resolve().parents[2]
MADE, JUDGED = ("new_trial", "masters_trial"), "judge"  # how a test names its fault, and has it counted


def rows(page: str) -> list[str]:
    """The first column of the table."""
    table = page.partition(f"| {HEAD[0]} ")[2].partition("\n\n")[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def called(function: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            of = node.func
            if (isinstance(of, ast.Name) and of.id in names) or (
                isinstance(of, ast.Attribute) and of.attr in names
            ):
                yield node


def judged_faults(text: str) -> Iterator[str]:
    """What the tests of a file call their faults, as patterns: a parameter's value is any text."""
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef) and any(called(function, JUDGED)):
            for call in called(function, *MADE):
                match call.args:
                    case [ast.Constant(value=str(words)), *_]:
                        yield re.escape(words)
                    case [ast.JoinedStr(values=parts), *_]:
                        yield "".join(
                            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
                            for part in parts
                        )
                    case other:
                        raise AssertionError(f"the name of a fault is written where it is made: {other}")


def test_each_fault_that_is_judged_has_a_row_and_each_row_a_fault() -> None:
    page = (ROOT / "docs/reliability.md").read_text("utf-8")
    faults = {
        pattern
        for file in (ROOT / "tests/faults").glob("test_*.py")
        for pattern in judged_faults(file.read_text("utf-8"))
    }
    table = rows(page)
    assert len(table) == len(set(table)) > 20
    assert {one for one in faults if not any(re.fullmatch(one, row) for row in table)} == set()
    assert {row for row in table if not any(re.fullmatch(one, row) for one in faults)} == set()


def test_a_fault_without_a_row_is_seen() -> None:
    text = (
        "def test_x(new_trial):\n    with new_trial(f'cut {harm}') as trial:\n        trial.judge(times=1)\n"
    )
    assert list(judged_faults(text)) == ["cut\\ .+"]
    assert not list(judged_faults(text.replace("judge", "close")))
    assert rows("| fault | times |\n|---|---:|\n| cut here | 1 |\n\nmore") == ["cut here"]
