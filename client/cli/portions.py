"""Lists that the master answers in portions."""

from __future__ import annotations

from typing import Any, Final

from ..app import App

LISTED: Final = 500  # in one answer


def rows_by_name(app: App, part: tuple[str, ...], first: str | None) -> list[dict[str, Any]]:
    """All rows of ``list(after, most)`` of an object, which are in the order of their names. ``first``: what stands before all names."""
    rows: list[dict[str, Any]] = []
    while portion := app.call(part, "list", rows[-1]["name"] if rows else first, LISTED):
        rows += portion
        # The last portion, without asking for an empty one.
        if len(portion) < LISTED:
            break
    return rows
