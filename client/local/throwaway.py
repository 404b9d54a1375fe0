"""A cluster for the duration of a test: a real master and a real worker, started automatically."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..app import App
from .cluster import EmbeddedCluster


@contextlib.contextmanager
def throwaway_cluster(app: App, *, slots: int = 2, pools: Sequence[str] = ()) -> Iterator[App]:
    """Start a master and a worker for a test; inside the block the app uses them.

    Inside the block the app sends its tasks nowhere else; after it nothing of them is kept.

    Args:
        app: The App whose tasks the worker serves.
        slots: Number of tasks that run at a time, from 1.
        pools: In place of slots, the worker's pools, as its ``--pool`` has them: ``["async:500"]``.

    Returns:
        The context of the block, which gives the app.

    Raises:
        ConfigError: The worker cannot load your code; the message is the worker's.
        InvalidArgument: The app has no tasks, or ``pools`` is not a list.

    Example::

        with tq.throwaway_cluster(app):
            assert square.submit(7).result(timeout=10) == 49
    """
    if isinstance(pools, str):  # its letters would be taken for pools
        raise InvalidArgument(f"pools={brief(pools, 80)}: write a list, pools=[{brief(pools, 80)}]")
    modules = _modules(app)
    with EmbeddedCluster(None, durability="memory") as cluster:
        cluster.start_master()
        cluster.start_worker(slots=None if pools else slots, pools=pools, modules=modules)
        with app.redirected(cluster.url, cluster.key("client")):
            yield app


def _modules(app: App) -> list[str]:
    """The modules that a worker must load to serve the tasks of an app; as files if they are not in a package."""
    names = sorted({task.function.__module__ for task in app.__tq_tasks__.values()})
    if not names:
        raise InvalidArgument(f"{app!r} has no tasks: mark functions with @app.task before the block begins")
    return [_source(name) for name in names]


def _source(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(Path(file).resolve()) if file and "." not in module else module
