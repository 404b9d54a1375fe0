"""The command ``tq top``: a screen for a person, one frame for a pipe, one document for a program."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Final

import click

from ....common.domain.model import Role
from ....common.runtime.terminal import write
from ...app import App
from ..options import connected
from ..output import print_json, with_moments
from .state import Model, looked

ONCE_COLUMNS: Final = 80
ONCE_LINES_MIN: Final = 24


@click.command(epilog="Example: tq top --interval 2")
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two refreshes.",
)
@click.option("--once", is_flag=True, help="Print one frame and end; the default into a pipe.")
@connected(Role.VIEWER)
def top(app: App, as_json: bool, interval: float, once: bool) -> None:
    """A cluster at work: rates, queues, workers, what runs longest, what failed last.

    Keys: arrows choose, enter opens a queue, a worker or a task, esc goes back, p pauses or resumes a
    queue, r retries what failed there (both ask), ? explains, q quits.
    """
    if not (once or as_json or (sys.stdin.isatty() and sys.stdout.isatty())):
        once = True
    from .shell import first_look, run

    snapshot = first_look(app)
    if as_json:
        print_json(with_moments(snapshot))
    elif once:
        from .drawing import draw

        columns = shutil.get_terminal_size((ONCE_COLUMNS, ONCE_LINES_MIN)).columns
        rows = sum(len(snapshot[name]) for name in ("queues", "workers", "running", "failing"))
        model = looked(Model(), snapshot)
        frame = draw(model, columns, max(ONCE_LINES_MIN, rows + 16), time.time())[:-1]  # without the keys
        write("\n".join(line.plain.rstrip() for line in frame).rstrip() + "\n")
    else:
        run(app, interval, snapshot)
