"""Sources as trees, parsed and walked once however many rules look at them. The trees are shared: no rule may change one."""

from __future__ import annotations

import ast
import gc
from collections.abc import Sequence
from functools import cache


@cache
def parsed(text: str) -> ast.Module:
    was_enabled = gc.isenabled()
    gc.disable()  # nothing here is garbage, and to look for some takes longer than to parse
    try:
        return ast.parse(text)
    finally:
        if was_enabled:
            gc.enable()


@cache
def nodes(tree: ast.AST) -> Sequence[ast.AST]:
    """As ``ast.walk``."""
    return tuple(ast.walk(tree))


def forget() -> None:
    """A process of the suite that keeps the trees has a million objects more to look at in each collection of garbage."""
    parsed.cache_clear()
    nodes.cache_clear()
