"""How often faults are injected (``--faults-scale``), trials to inject them in, and the table at the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from xprocess import XProcess

from .. import postgres
from .several_masters import MastersTrial, NewTrial
from .tally import Tally
from .trial import Trial

TALLY = pytest.StashKey[Tally]()

ALL = 10.0  # the scale at which every fault is injected

TrialFactory = Callable[..., Trial]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(TALLY, None)
    if tally:
        terminalreporter.section("faults")
        for line in tally.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash.setdefault(TALLY, Tally())


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> float:
    return float(pytestconfig.getoption("faults_scale"))


@pytest.fixture
def whole_run(scale: float) -> None:
    """For what takes too long to be done with every change."""
    if scale < ALL:
        pytest.skip(f"a long one: it runs with --faults-scale {ALL:g}")


@pytest.fixture
def times(scale: float) -> Callable[[int], int]:
    """``times(n)``: so often when all of it runs; at least once."""
    return lambda full: max(1, round(full * min(1.0, scale / ALL)))


@pytest.fixture
def new_trial(xprocess: XProcess, tmp_path: Path, tally: Tally) -> Iterator[TrialFactory]:
    """``new_trial(fault, start=True)``: a cluster of its own, with a started master."""
    numbers = itertools.count(1)
    made: list[Trial] = []

    def make(fault: str, *, start: bool = True, **environment: str) -> Trial:
        trial = Trial(fault, xprocess, tmp_path / str(next(numbers)), tally)
        made.append(trial)
        trial.master.environment.update(environment)
        if start:
            trial.master.start()
        return trial

    yield make
    for trial in made:
        trial.close()


@pytest.fixture(scope="session")
def fault_server() -> Iterator[postgres.PostgresServer]:
    """In which each trial has a database of its own."""
    with postgres.serving() as server:
        yield server


@pytest.fixture
def masters_trial(xprocess: XProcess, tmp_path: Path, tally: Tally) -> Iterator[NewTrial]:
    """``masters_trial(fault, url)``: several masters over that database, not started yet."""
    made: list[MastersTrial] = []

    def make(fault: str, url: str) -> MastersTrial:
        made.append(MastersTrial(fault, xprocess, tmp_path / str(len(made)), tally, url))
        return made[-1]

    yield make
    for trial in made:
        trial.close()
