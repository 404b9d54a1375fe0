"""Keeps the tests on the installed package, and registers the suite's own options.

The repository root has an ``__init__.py``, because it is the package. pytest would take it for a package of
tests and import it under the name of the clone's directory: with a clone called ``tq`` that is the tree in
place of what was installed, with any other name a second copy. Hence the root is made a plain directory.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tq.common.domain import context
from xprocess import XProcess

from . import side_by_side
from .new_tables import copy_tables
from .properties import register_profiles
from .side_by_side import process_number
from .side_by_side import pytest_runtestloop as pytest_runtestloop

register_profiles()
copy_tables()


class RootIsNoPackageOfTests:
    def __init__(self, root: Path) -> None:
        self._root = root

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == self._root else None


@pytest.fixture
def frozen() -> None:
    """For tests that bound processor time. As in a master, a collection of garbage does not look through what was there before: here
    all that the other tests of the process have left."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and what they import stay until the end: no collection of garbage is to look through them, neither while they
    come, which takes a third longer then, nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    side_by_side.pytest_addoption(parser)
    parser.addoption(
        "--faults-scale",
        type=float,
        default=1.0,
        help="how many faults tests/faults injects: 1 a few, 10 all of them, more than that all and more",
    )
    parser.addoption(
        "--store-rows", type=int, default=20_000, help="how long the longest queue of tests/master/store is"
    )


@pytest.fixture(scope="session")
def xprocess(request: pytest.FixtureRequest) -> Iterator[XProcess]:
    """As pytest-xprocess has it, with a directory for each process of a parallel run: each ends its own programs only."""
    folder = request.config.cache.makedir(f"xprocess-{process_number()}")  # type: ignore[union-attr]
    with XProcess(request.config, folder) as programs:
        yield programs


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """A program that has ended ignores SIGTERM and SIGINT, one that loads modules looks for them in the working directory, a master's
    files can be read by its user only, and where tasks run waits are those of a task. A test that runs such code in its own process must
    not hand that on: every program that later tests start would ignore signals, or could not read its configuration as another user, and
    what they import could be the tree instead of the package that is installed."""
    path, handlers = (
        sys.path[:],
        [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)],
    )
    surroundings, mask = context._surroundings, mask_of_files()
    yield
    context.provide(surroundings)
    os.umask(mask)
    for number, handler in handlers:
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    if sys.path != path:
        sys.path[:] = path


def mask_of_files() -> int:
    """It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def pytest_configure(config: pytest.Config) -> None:
    # Started in the background of a shell, we ignore Ctrl-C, and so would every program that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(RootIsNoPackageOfTests(config.rootpath))
