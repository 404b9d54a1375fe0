"""Bugs planted on purpose: a harness that does not find them proves nothing.

Each is a change of a few words in the shipped text. ``python -m tests.simulation.planted`` plants one after
another and says how many seeds it took to see it.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final, NamedTuple

from .bugs import BUGS, Bug
from .bugs_of_edges import BUGS_OF_EDGES
from .bugs_of_shards import BUGS_OF_SHARDS
from .bugs_of_sharing import BUGS_OF_SHARING
from .edge_lives import simulate_edges
from .run import Outcome, simulate
from .shard_lives import simulate_shards
from .sharing_lives import simulate_sharing

SEEDS_MAX = 500
LIVES: Final[Sequence[tuple[Sequence[Bug], Callable[[int], Outcome]]]] = (
    (BUGS_OF_SHARDS, simulate_shards),
    (BUGS_OF_SHARING, simulate_sharing),
    (BUGS_OF_EDGES, simulate_edges),
)
COMMENT_LINES: Final = re.compile(r"^ *(?:#|--) .*\n", re.MULTILINE)


class Hunt(NamedTuple):
    """What seeds showed of a bug. ``seed``: the first that broke an invariant by it; None: none did. ``failures``: seeds that ended
    by an exception, which is no invariant: a bug that was planted badly raises one as well."""

    seed: int | None
    said: str
    failures: int


def find(bug: Bug, seeds: range) -> Hunt:
    """Plant the bug and run these seeds, until one sees it."""
    failures, failure = 0, "no seed sees it"
    live = next((lives for bugs, lives in LIVES if bug in bugs), simulate)
    with planted(bug):
        for seed in seeds:
            outcome = live(seed)
            said = outcome.broken.strip().splitlines()[-1:]
            if outcome.rule:
                return Hunt(seed, said[0], failures)
            if said:
                failures, failure = failures + 1, said[0]
    return Hunt(None, failure, failures)


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """The bug is there while the context lasts."""
    undo = _plant_sql(bug) if bug.module.endswith(".sql") else _plant_python(bug)
    try:
        yield
    finally:
        for owner, name, before in undo:
            setattr(owner, name, before)


def _changed(text: str, bug: Bug) -> str:
    """Lines that are comments are left out first: a bug is a change of code, and finds its place whatever is said about it."""
    text = COMMENT_LINES.sub("", text)
    for old, new in ((bug.old, bug.new), *bug.also):
        old = COMMENT_LINES.sub("", old)
        if old not in text:
            raise LookupError(
                f"{bug.name}: the text to change is no longer in {bug.module}; adapt the bug to the new one"
            )
        text = text.replace(old, new)
    return text


def _plant_python(bug: Bug) -> list[tuple[object, str, object]]:
    """Compile the changed text, and give the classes and the module its functions."""
    module = importlib.import_module(bug.module)
    file = Path(str(module.__file__))
    changed = ModuleType(module.__name__)
    changed.__dict__.update(__package__=module.__package__, __file__=str(file))
    sys.modules[module.__name__] = changed  # dataclasses look their module up while they are made
    try:
        exec(compile(_changed(file.read_text("utf-8"), bug), str(file), "exec"), changed.__dict__)  # noqa: S102
    finally:
        sys.modules[module.__name__] = module
    undo: list[tuple[object, str, object]] = []
    for name, thing in list(vars(module).items()):
        other = vars(changed).get(name)
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            for method, function in list(vars(thing).items()):
                if isinstance(function, (FunctionType, staticmethod, property)) and method[:2] != "__":
                    undo.append((thing, method, function))
                    setattr(thing, method, _of_class(vars(other)[method], thing))
            setattr(changed, name, thing)  # one class, also for the changed functions
        elif isinstance(thing, FunctionType) and thing.__module__ == module.__name__ and other is not None:
            undo.append((thing, "__code__", thing.__code__))  # others may have imported it by name
            thing.__code__ = other.__code__
        elif isinstance(thing, (bytes, str, int, float)) and name[:2] != "__" and thing != other:
            undo.append((module, name, thing))  # a constant, such as a statement of SQL
            setattr(module, name, other)
    return undo


def _of_class(function: object, kind: type) -> object:
    """``super()`` asks a function for the class that it was compiled in."""
    if isinstance(function, FunctionType) and "__class__" in function.__code__.co_freevars:
        assert function.__closure__ is not None
        function.__closure__[function.__code__.co_freevars.index("__class__")].cell_contents = kind
    return function


def _plant_sql(bug: Bug) -> list[tuple[object, str, object]]:
    from tq.master.store.sqlite import store as sqlite

    text = resources.files(sqlite.__package__ or "").joinpath("sql", bug.module).read_text("utf-8")
    _changed(text, bug)
    before = sqlite.load_statements
    statements = {name: sql.replace(bug.old, bug.new) for name, sql in before().items()}
    sqlite.load_statements = lambda: statements
    return [(sqlite, "load_statements", before)]


def _hunt(seeds: range, index: int) -> tuple[Bug, Hunt, float]:
    began = time.perf_counter()
    return BUGS[index], find(BUGS[index], seeds), time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description=__doc__)
    parser.add_argument(
        "bugs", nargs="*", metavar="BUG", help="words of the names of the bugs to plant; none: all of them"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--step", type=int, default=1, help="only every so many seeds [1]")
    parser.add_argument("--processes", type=int, help="how many hunt at the same time [one for each core]")
    options = parser.parse_args()
    words = options.bugs
    chosen = [index for index, bug in enumerate(BUGS) if not words or any(word in bug.name for word in words)]
    if not chosen:
        parser.error("no bug has such a name; there are: " + ", ".join(bug.name for bug in BUGS))
    missed, seeds = 0, range(options.first, SEEDS_MAX, options.step)
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        for hunted in as_completed([pool.submit(_hunt, seeds, index) for index in chosen]):
            bug, hunt, seconds = hunted.result()
            missed += hunt.seed is None
            where = "NOT FOUND" if hunt.seed is None else f"seed {hunt.seed}"
            failures = f" ({hunt.failures} seeds ended by an exception)" if hunt.failures else ""
            print(f"{bug.name:48} {where:>9} {seconds:6.1f} s   {hunt.said}{failures}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
