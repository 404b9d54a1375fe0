"""Results on their way to stdout: counted, printed once, and no more after too many failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from tq.client.cli.map.items import Item
from tq.client.cli.map.output import Output
from tq.client.cli.map.printing import AttemptFacts, FailureLines, JsonRowPrinter, PlainPrinter, Printer
from tq.client.cli.map.results import Counts, ResultWriter
from tq.client.cli.map.window import Window, WindowEntry
from tq.client.tasks.outcomes import SUCCEEDED
from tq.common.domain.model import StateNumber
from tq.common.values.codec import encode

FAILED = int(StateNumber.FAILED)


class Screen:
    def __init__(self) -> None:
        self.complaints: list[str] = []

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    def pass_on(self, data: bytes) -> None:
        raise AssertionError("no command here writes to stderr")


class Results:
    """A writer into a file, with a window of ended items."""

    def __init__(
        self, file: BinaryIO, printer: Printer | None = None, max_failures: int | None = None
    ) -> None:
        self._path, self.counts, self.screen = Path(file.name), Counts(), Screen()
        self.window = Window(items_max=100, bytes_max=10_000, ordered=True)
        self.asked: list[Sequence[bytes]] = []
        self.writer = ResultWriter(
            Output(file.fileno()),
            printer or PlainPrinter(FailureLines("line")),
            None,
            self.counts,
            facts_of=self._facts_of,
            max_failures=max_failures,
        )

    def end(self, number: int, state: int, error: str = "") -> None:
        id = number.to_bytes(16, "big")
        item = Item(number=number, raw=b"x", args=("x",), kwargs={}, shown="x")
        self.window.add(WindowEntry(item, id, 1))
        self.window.end(id, state, encode(number) if state == SUCCEEDED else None, error)

    def written(self) -> str:
        self.writer.write(self.window, self.screen)
        return self._path.read_text()

    def _facts_of(self, ids: Sequence[bytes]) -> dict[bytes, AttemptFacts]:
        self.asked.append(ids)
        return {}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / "out").open("ab") as file:
        yield file


def test_results_are_printed_once_and_counted(file: BinaryIO) -> None:
    results = Results(file)
    results.end(1, SUCCEEDED)
    results.end(2, FAILED, "refused")
    assert results.written() == "1\n"
    assert results.written() == "1\n"
    assert (results.counts.done, results.counts.failed) == (1, 1)
    assert results.screen.complaints == ["line 2 'x': refused"]


def test_after_too_many_failures_nothing_more_is_printed(file: BinaryIO) -> None:
    results = Results(file, max_failures=2)
    for number in (1, 2):
        results.end(number, FAILED, "refused")
    results.end(3, SUCCEEDED)
    assert results.written() == ""
    assert results.writer.has_too_many_failures
    results.end(4, SUCCEEDED)
    assert results.written() == ""
    assert (results.counts.done, results.counts.failed) == (0, 2)


def test_the_master_is_asked_for_facts_only_about_tasks_and_only_by_printers_that_want_them(
    file: BinaryIO,
) -> None:
    plain = Results(file)
    plain.end(1, SUCCEEDED)
    plain.written()
    assert plain.asked == []
    rows = Results(file, JsonRowPrinter(FailureLines("line")))
    rows.end(1, SUCCEEDED)
    rows.end(2, FAILED, "never became a task")
    rows.written()
    assert rows.asked == [[(1).to_bytes(16, "big")]]
