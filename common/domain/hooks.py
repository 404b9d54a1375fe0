"""What a program has run around its tasks: functions at the start and the end of a child, before and after each task.

Order: at the start and before a task as they stand in the code; after a task and at the end, the other way round.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .model import Outcome

CHILD_START, CHILD_STOP, BEFORE, AFTER = "on_child_start", "on_child_stop", "before", "after"
EXAMPLES: Final = {
    CHILD_START: "@app.on_child_start over def connect() -> None: …",
    CHILD_STOP: "@app.on_child_stop over def disconnect() -> None: …",
    BEFORE: "@app.before over def note_start(ctx: tq.Context) -> None: …",
    AFTER: "@app.after over def note_end(ctx: tq.Context, ended: tq.Ended) -> None: …",
}
ARGUMENTS: Final = {CHILD_START: 0, CHILD_STOP: 0, BEFORE: 1, AFTER: 2}
AROUND_TASKS: Final = frozenset({BEFORE, AFTER})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How an attempt ended, as its child knows it when ``@app.after`` runs.

    Attributes:
        outcome: ``"success"``, ``"error"``, ``"retry"``, ``"timeout"``, …: see ``tq.Attempt``.
        result: What the function returned, as it is sent; None if it raised.
        error: What the function raised; None if it returned.
        seconds: How long it took.
    """

    outcome: Outcome
    result: Any = None
    error: BaseException | None = None
    seconds: float = 0.0


class Hook(NamedTuple):
    """One function of a program. ``name``: ``module:function``, for the log."""

    kind: str
    name: str
    function: Callable[..., Any]
    is_coroutine: bool


@dataclass(slots=True, eq=False)
class Hooks:
    """Those of one App, in the order in which they stand in its code."""

    _by_kind: dict[str, list[Hook]] = field(default_factory=dict)

    def add(self, kind: str, function: Callable[..., Any]) -> None:
        """Raises InvalidArgument for what cannot be one, with the line to write."""
        self._by_kind.setdefault(kind, []).append(_hook(kind, function))

    def of(self, kind: str, *, with_coroutines: bool = True) -> list[Hook]:
        """In the order in which they run."""
        some = [one for one in self._by_kind.get(kind, ()) if with_coroutines or not one.is_coroutine]
        return some[::-1] if kind in (AFTER, CHILD_STOP) else some

    @property
    def has_around_tasks(self) -> bool:
        return any(map(self._by_kind.get, AROUND_TASKS))


def _hook(kind: str, function: Callable[..., Any]) -> Hook:
    example = f"write {EXAMPLES[kind]}"
    name = getattr(function, "__qualname__", "<lambda>") if inspect.isroutine(function) else "<lambda>"
    if name.endswith("<lambda>"):
        raise InvalidArgument(
            f"@app.{kind}: {brief(function, 80)} is not a function with a name by which the log could show it; {example}"
        )
    try:
        inspect.signature(function).bind(*[None] * ARGUMENTS[kind])
    except TypeError as error:
        raise InvalidArgument(f"@app.{kind}: {name} cannot be called so: {error}; {example}") from None
    is_coroutine = inspect.iscoroutinefunction(function)
    if is_coroutine and kind not in AROUND_TASKS:
        raise InvalidArgument(
            f"@app.{kind}: {name} is async def, and no event loop runs then; write def, or make what it opens an async @app.resource"
        )
    return Hook(kind, f"{function.__module__}:{name}", function, is_coroutine)
