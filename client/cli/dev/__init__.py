"""``tq dev``: master, worker and code reload in one terminal, for development."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ....common.errors import ConfigError


@click.command(epilog="Example: tq dev jobs.py")
@click.argument("modules", nargs=-1, metavar="[FILE.py | MODULE[:APP]]...")
@click.option("--slots", type=click.IntRange(1), metavar="N", help="Tasks at the same time.  [cores]")
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="The master's port.  [5000, else a free one]"
)
@click.option("--page/--no-page", default=True, help="The page in a browser, if tq[web] is there.  [yes]")
@click.option("--fresh", is_flag=True, help="Forget the tasks and keys of earlier runs here.")
def dev(modules: tuple[str, ...], slots: int | None, port: int | None, page: bool, fresh: bool) -> None:
    """Master, worker and code reload in one terminal.

    Programs started in this directory find it automatically, through ./.tq. When a .py file below it changes,
    running tasks finish and waiting tasks run with the new code.

    Ctrl-C stops everything in order, a second one at once. Queued tasks are kept for the next start.
    """
    if not modules:
        raise click.UsageError("name the file that has your functions, as in: tq dev jobs.py")
    if sys.platform == "win32":
        raise ConfigError("tq dev needs Linux or macOS; on Windows use WSL")
    for name in modules:
        if name.endswith(".py") and not Path(name).is_file():
            raise ConfigError(f"there is no file {name}; write it first, or name another: tq dev jobs.py")
    from .session import start

    sys.exit(start(modules, slots, port, fresh=fresh, with_page=page))
