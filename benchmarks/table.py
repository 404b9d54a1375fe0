"""A reading as Markdown, and its place in a document: between two comments, so that the prose around it stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .array_rows import array_rows
from .control_rows import control_rows
from .crawl_rows import crawl_rows
from .database_rows import database_rows
from .edge_rows import edge_rows
from .figures import Row
from .graph_rows import graph_rows
from .page_rows import page_rows
from .process_rows import process_rows
from .readings import Gathered
from .rows import floor_rows, peer_rows, pool_rows, rows

BEGIN: Final = "<!-- measured: begin; written by `python -m benchmarks` -->"
END: Final = "<!-- measured: end -->"
SOAK_BEGIN: Final = "<!-- soak: begin; written by `python -m benchmarks.soak` -->"
SOAK_END: Final = "<!-- soak: end -->"


def report(gathered: Gathered, *, machine: str, command: str, runs: int, picture: str = "") -> str:
    """Everything that was measured, as Markdown."""
    numbers, notes = gathered.medians, gathered.notes
    parts = [f"`{command}`, medians of {runs} {'runs' if runs > 1 else 'run'}, on {machine}."]
    if picture:
        parts.append(f"![Tasks per second of tq, the floor and its peers, and the goals]({picture})")
    made = rows(numbers, notes) + array_rows(numbers) + graph_rows(numbers, notes) + crawl_rows(numbers)
    made += control_rows(numbers) + database_rows(numbers) + process_rows(numbers) + edge_rows(numbers)
    made += page_rows(numbers)
    if made:
        head = "measured", "tq", "beside it, in the same run", "goal", "met"
        parts.append(markdown(head, map(_cells, made)))
    if limits := _limits(gathered):
        parts.append(limits)
    if pools := pool_rows(numbers):
        head = "items of `abs`, chunk size", "tq", "the standard library's", "ratio", "processor time an item"
        parts.append(markdown(head, pools))
    if floors := floor_rows(numbers):
        parts.append(markdown(("the floor's parts", ""), ((row.title, row.figure) for row in floors)))
    if peers := peer_rows(numbers, notes):
        cells = ((row.title, row.figure, row.beside) for row in peers)
        parts.append(
            markdown(
                ("peer, 2 worker processes, no TLS", "no-op tasks", "version and settings, or why not"), cells
            )
        )
    return "\n\n".join(parts) + "\n"


def markdown(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    heading = list(head)
    made = [heading, ["---"] * len(heading), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in made)


def placed(document: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """The document with the text between two comments; ValueError when they are not there."""
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no place for figures: it lacks {end if found else begin}")
    return f"{before}{begin}\n{text}{end}{after}"


def _cells(row: Row) -> tuple[str, ...]:
    goal = row.goal
    return (
        row.title,
        row.figure,
        row.beside,
        goal.words if goal else "",
        ("yes" if goal.met else "**no**") if goal else "",
    )


def _limits(gathered: Gathered) -> str:
    """Who was busy while no-op tasks went through: what limits it now."""
    numbers = gathered.medians
    shares = {
        who: numbers[f"noop.{who}_share"]
        for who in ("master", "client", "worker", "children")
        if f"noop.{who}_share" in numbers
    }
    if not shares:
        return ""
    listed = ", ".join(f"{who} {share:.2f}" for who, share in shares.items())
    return f"Cores busy while no-op tasks went end to end: {listed}; {sum(shares.values()):.2f} in all."
