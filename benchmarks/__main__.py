"""The whole reading: ``python -m benchmarks``, a few minutes a run.

Without ``--quick`` and ``--only`` the table and the picture are written into docs/performance.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .machine import machine
from .readings import Gathered
from .scale import FULL, QUICK
from .suite import MEASUREMENTS, run, with_what_stands_beside
from .table import placed, report

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
PICTURE: Final = DOCUMENT.with_suffix(".svg")


@click.command()
@click.option(
    "--runs", default=3, show_default=True, type=click.IntRange(1), help="Of each; medians are shown."
)
@click.option("--quick", is_flag=True, help="Small sizes: a look at whether it works, not a reading.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(MEASUREMENTS)),
    help="This and what it stands beside; may be repeated.",
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Every number of every run."
)
def main(runs: int, quick: bool, only: tuple[str, ...], json_file: Path | None) -> None:
    """Measure tq, the floor below it and its peers; every figure stands beside another of the same run."""
    taken_on = machine()
    gathered = _measure(with_what_stands_beside(only or list(MEASUREMENTS)), runs, quick=quick)
    whole = not quick and not only
    options = [f"--runs {runs}", *["--quick"] * quick, *(f"--only {name}" for name in only)]
    command = " ".join(["python -m benchmarks", *options])  # without the file: its path is of this machine
    if json_file is not None:
        document = {"command": command, "machine": taken_on, "runs": gathered.runs, "notes": gathered.notes}
        json_file.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    text = report(
        gathered, machine=taken_on, command=command, runs=runs, picture=PICTURE.name if whole else ""
    )
    if whole:
        from .picture import draw

        draw(gathered, PICTURE)
        DOCUMENT.write_text(placed(DOCUMENT.read_text("utf-8"), text), "utf-8")
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        click.echo(text, nl=False)


def _measure(names: list[str], runs: int, *, quick: bool) -> Gathered:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=runs * len(names))

        def begins(name: str, number: int) -> None:
            done = number * len(names) + names.index(name)
            progress.update(bar, completed=done, description=f"run {number + 1}: {name}")

        return run(names, QUICK if quick else FULL, runs, begins)


if __name__ == "__main__":
    main()
