"""What a view hands over to be shown, and what it is asked with. It knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .logins import Login

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ShownPage:
    """``template``: of the part that changes while it is looked at; ``head``: of what stands above it and does not. ``command``: does the
    same in a shell. ``rows``: the table, for a file; made only if a file is asked for. ``every``: seconds until the part is asked for
    again though the watcher has seen nothing new; None: it shows nothing that the watcher does not see. ``is_final``: asked for again, it
    says the same."""

    title: str
    template: str
    command: str
    context: Mapping[str, Any] = field(default_factory=dict)
    head: str | None = None
    rows: Callable[[], Sequence[Row]] | None = None
    every: float | None = None
    is_final: bool = False


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """``path``: the variable parts of the address; ``query``: what stands behind it, or what a form holds."""

    path: Mapping[str, str]
    query: Mapping[str, str]

    def get(self, name: str) -> str:
        return self.query.get(name, "").strip()


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a change: a sentence, and where to go on; by default where it was made."""

    note: str = ""
    to: str | None = None


View = Callable[[Login, ViewRequest], ShownPage]
Action = Callable[[Login, ViewRequest], Done]  # or it raises TqError
