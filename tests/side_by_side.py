"""``pytest --processes N``: the tests side by side, in processes that are forked from the one that has collected them.

To import all tests and to list them takes a processor a quarter of a minute, and N processes that start from nothing do it N times.
A forked one has the list. It takes the next piece of it (``pieces.py``) whenever it has done one, and says what became of each test;
the first process only listens, and shows it as if it had run the tests itself.

The numbers of all pieces stand in one pipe: who has time reads the next one, and where it is empty the run is over. A process that dies
costs the test that it was at, which has failed; a new process does what it had left. At the end come the tests that need the machine
for themselves, in fewer processes.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, pairwise
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from _pytest._io import TerminalWriter

from .pieces import pieces_of

NUMBER_BYTES: Final = 4
LIMITS: Final = {"alone": 1, "few": 2}  # marks
_number: int | None = None


def process_number() -> int | None:
    """From 0; ``None`` in a process that runs all tests itself."""
    return _number


def limit(test: pytest.Item) -> int | None:
    """How many processes may run tests while this one runs, its own included."""
    return next((number for mark, number in LIMITS.items() if test.get_closest_marker(mark)), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--processes", type=int, default=0, help="how many run the tests side by side; 0: this one runs them"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    options = session.config.option
    if not options.processes or options.collectonly or options.usepdb or session.testsfailed:
        return None  # to pytest itself
    assert threading.active_count() == 1, f"a fork copies no thread: who started {threading.enumerate()}?"
    First(session).run(options.processes)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    return True


class Pieces:
    """The numbers of those that no process has taken."""

    def __init__(self, count: int) -> None:
        self._left, into = os.pipe()
        os.set_blocking(into, False)  # more than there is room for: an error, for none reads yet
        for number in range(count):
            os.write(into, number.to_bytes(NUMBER_BYTES, "big"))
        os.close(into)

    def take(self) -> int | None:
        read = os.read(self._left, NUMBER_BYTES)
        return int.from_bytes(read, "big") if read else None

    def take_all(self) -> None:
        while self.take() is not None:
            pass

    def close(self) -> None:
        self.take_all()
        os.close(self._left)


class First:
    """The process that has collected the tests, of which the others are forked."""

    def __init__(self, session: pytest.Session) -> None:
        self._session, self._config, self._tests = session, session.config, session.items
        self._folder = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        self._pieces: list[list[int]]
        self._free: Pieces
        self._numbers = count()
        self._runners: dict[Connection, Runner] = {}

    def run(self, processes: int) -> None:
        """Until every test is reported; where one too many has failed, until those are that were under way."""
        at_once = [min(processes, limit(test) or processes) for test in self._tests]
        for number in sorted(set(at_once), reverse=True):
            places = [place for place, its in enumerate(at_once) if its == number]
            pieces = pieces_of([self._tests[place] for place in places])
            if not self._is_over:
                self._run([[places[one] for one in piece] for piece in pieces], number)

    def _run(self, pieces: list[list[int]], processes: int) -> None:
        self._pieces, self._free = pieces, Pieces(len(pieces))
        try:
            for _ in range(min(processes, len(pieces))):
                self._fork([])
            while self._runners:
                self._listen()
                if self._is_over:
                    self._free.take_all()
        finally:  # Ctrl-C reaches all of us: each ends what it has started
            self._free.close()
            for runner in self._runners.values():
                os.waitpid(runner.pid, 0)

    @property
    def _is_over(self) -> bool:
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _fork(self, left: list[int]) -> None:
        """One more, which first does what another one has left."""
        number = next(self._numbers)
        ours, theirs = Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            Forked(self._session, number, theirs).run(self._folder, self._taken(left))
        theirs.close()
        self._runners[ours] = Runner(pid, ours)

    def _taken(self, left: list[int]) -> Iterator[list[int]]:
        """In a forked process."""
        if left:
            yield left
        while (number := self._free.take()) is not None:
            yield self._pieces[number]

    def _listen(self) -> None:
        for ready in wait(list(self._runners)):
            assert isinstance(ready, Connection)
            runner = self._runners[ready]
            try:
                word, *what = ready.recv()
            except EOFError:
                self._bury(runner)
                continue
            if word == "piece":
                runner.left += what[0]
            elif word == "done":
                self._show(runner.left.pop(0), *what)
            elif word == "warning":
                self._warn(*what)
            else:
                self._forget(runner)

    def _show(self, test: int, reports: Sequence[Any]) -> None:
        item, hook = self._tests[test], self._config.hook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for data in reports:
            report = hook.pytest_report_from_serializable(config=self._config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _warn(self, text: str, file: str, line: int, when: str, test: str) -> None:
        message = warnings.WarningMessage(UserWarning(text), UserWarning, file, line)
        self._config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "when": when, "nodeid": test, "location": None}
        )

    def _forget(self, runner: Runner) -> int:
        """It has ended. How."""
        del self._runners[runner.connection]
        runner.connection.close()
        return os.waitstatus_to_exitcode(os.waitpid(runner.pid, 0)[1])

    def _bury(self, runner: Runner) -> None:
        """It has ended without a word: by what a test did to it."""
        code = self._forget(runner)
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        if not runner.left:
            raise RuntimeError(f"a process of the tests has ended {how} between two tests")
        item = self._tests[runner.left[0]]
        report = pytest.TestReport(
            item.nodeid, item.location, {}, "failed", f"the process that ran it has ended {how}", "call"
        )
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._show(runner.left[0], [data])
        if not self._is_over:
            self._fork(runner.left[1:])


class Runner:
    """A forked process, as the first one sees it."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid, self.connection = pid, connection
        self.left: list[int] = []  # tests of the pieces it has taken; it is at the first of them


class Forked:
    """One of the others. As a plugin of pytest it tells the first one what happens."""

    def __init__(self, session: pytest.Session, number: int, connection: Connection) -> None:
        self._session, self._config, self._connection = session, session.config, connection
        self._reports: list[Any] = []
        global _number
        _number = number

    def run(self, folder: Path, pieces: Iterable[list[int]]) -> NoReturn:
        """The tests of these pieces; the process ends with them."""
        status = 1
        capture = self._config.pluginmanager.getplugin("capturemanager")
        try:
            capture.stop_global_capturing()
            capture.start_global_capturing()
            self._own(folder)
            for item, following in self._tests(pieces):
                self._config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._session.shouldfail or self._session.shouldstop:
                    break
            self._session._setupstate.teardown_exact(None)
            self._connection.send(("end",))
            status = 0
        except BaseException as error:
            capture.stop_global_capturing()
            if not isinstance(error, KeyboardInterrupt):
                traceback.print_exc()
            self._session._setupstate.teardown_exact(None)
        finally:
            os._exit(status)

    def _tests(self, pieces: Iterable[list[int]]) -> Iterator[tuple[Any, Any]]:
        """Each test, and what comes after it, of which pytest keeps the fixtures. Behind the last one of a piece that is the session alone:
        to know more, this process would have to take the next piece while another one may have nothing to do."""
        for piece in pieces:
            self._connection.send(("piece", piece))
            yield from pairwise([*(self._session.items[number] for number in piece), self._session])

    def _own(self, folder: Path) -> None:
        """What no two processes may share."""
        own = folder / f"process-{_number}"
        own.mkdir(0o700)
        self._config._tmp_path_factory._basetemp = own  # type: ignore[attr-defined]
        plugins = self._config.pluginmanager
        plugins.unregister(name="terminalreporter")
        plugins.register(ToOutput(), "terminalreporter")
        plugins.register(self)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        hook = self._config.hook
        self._reports.append(hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_runtest_logfinish(self) -> None:
        self._connection.send(("done", self._reports))
        self._reports = []

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str
    ) -> None:
        text = f"{warning_message.category.__name__}: {warning_message.message}"
        self._connection.send(
            ("warning", text, warning_message.filename, warning_message.lineno, when, nodeid)
        )


class ToOutput:
    """In place of the terminal: what plugins write there, such as the stacks of threads when a test takes too long, is shown with the test."""

    @property
    def _tw(self) -> TerminalWriter:
        return TerminalWriter(sys.stderr)
