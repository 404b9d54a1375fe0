"""rich, for text that others wrote: whatever is printed, between rich's own sequences stands cleaned text."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .cleaning import clean


class CleanConsole(Console):
    """Every line of every renderable comes through ``render``; controls are rich's own, for bars and screens."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            if control:
                yield Segment(text, style, control)
            else:  # no link either: it is written as a command for the terminal, with an address that others chose
                yield Segment(clean(text), style.update_link(None) if style and style.link else style)
