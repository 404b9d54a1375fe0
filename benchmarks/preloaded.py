"""What ``tq-worker --preload`` saves: ``python -m benchmarks.preloaded --children 8 numpy``

Children of both kinds, one after the other: those that import the module themselves, and copies of a process that has. Memory is the
proportional set size (PSS) of the kernel, in which a page that n processes share counts as the nth part in each; of copies, that of the
process with the module is counted as well.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from tq.common.wire.protocol import Request
from tq.worker.agent.jobs import Death
from tq.worker.agent.reports import Report
from tq.worker.pools.interface import Runner
from tq.worker.pools.process import ChildHandle
from tq.worker.pools.processes import Preloaded, Start, StartedProcess

TASKS = "import {modules}\nimport tq\napp = tq.App()\n\n\n@app.task\ndef nothing() -> None: ...\n"


class Owner:
    """Of children that are only started."""

    def __init__(self) -> None:
        self.ready: asyncio.Queue[Runner] = asyncio.Queue()
        self.gone: asyncio.Queue[Death] = asyncio.Queue()

    def child_hello(self, child: Runner, tasks: list[list[Any]]) -> None:
        self.ready.put_nowait(child)

    def child_failed(self, child: Runner, known: bool, text: str) -> None:
        raise SystemExit(text)

    def child_printed(self, child: Runner, ordinal: int, text: bytes, is_error: bool = False) -> None: ...
    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None: ...
    def child_reported(self, child: Runner, reports: list[Report]) -> None: ...
    def child_called(self, child: Runner, request: Request) -> None: ...
    def child_distrusted(self, child: Runner, why: str) -> None: ...
    def child_died(self, child: Runner, death: Death) -> None:
        self.gone.put_nowait(death)

    def broke(self, error: Exception) -> None:
        raise error


async def measure(file: Path, count: int, start: Start, *besides: int) -> tuple[float, float]:
    """Bytes of memory of so many children and of these processes besides, and seconds until the last child was ready."""
    owner, began = Owner(), time.perf_counter()
    children = [ChildHandle(owner, number, [str(file)], start=start) for number in range(1, count + 1)]
    for _ in children:
        await owner.ready.get()
    seconds = time.perf_counter() - began
    size = sum(map(pss_bytes, [*besides, *(child.pid for child in children)]))
    for child in children:
        child.end_input()
    for _ in children:
        await owner.gone.get()
    return size, seconds


def pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(pid)


async def both(file: Path, count: int, modules: tuple[str, ...]) -> None:
    own, own_seconds = await measure(file, count, StartedProcess)
    pids: list[int] = []
    template = Preloaded(modules, lambda _, **fields: pids.append(fields["pid"]))
    await template.load()
    copies, copy_seconds = await measure(file, count, template.start, *pids)
    template.close()
    named = " ".join(modules)
    click.echo(f"{count} children that import {named}: {own / 1e6:.0f} MB, ready in {own_seconds:.1f} s")
    click.echo(
        f"{count} copies and what they are copies of: {copies / 1e6:.0f} MB, ready in {copy_seconds:.1f} s"
    )


@click.command()
@click.option("--children", default=8, show_default=True, type=click.IntRange(1))
@click.argument("modules", nargs=-1, required=True)
def main(children: int, modules: tuple[str, ...]) -> None:
    """Print memory and start of children without and with --preload."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preload_tasks.py"
        file.write_text(TASKS.format(modules=", ".join(modules)), "utf-8")
        asyncio.run(both(file, children, modules))


if __name__ == "__main__":
    main()
