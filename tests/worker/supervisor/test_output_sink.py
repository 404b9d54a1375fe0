"""Output on this host: files in full, a terminal that stands still, a directory that takes nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tq.worker.supervisor import output_sink
from tq.worker.supervisor.output_sink import OutputSink

SECONDS = 40.0  # of a busy machine


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Event()

    def __call__(self, action: str, **fields: Any) -> None:
        self.events.append((action, fields))
        self.arrived.set()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> int:
    """A pipe in place of stderr; its reading end."""
    reader, writer = os.pipe()
    monkeypatch.setattr(output_sink, "STDERR", writer)
    return reader


def test_output_is_shown_and_kept_in_a_file_of_its_attempt(terminal: int, tmp_path: Path) -> None:
    out = OutputSink(tmp_path / "new" / "folder", Log())
    for name, text in (
        ("a.1.log", b"one\n"),
        ("", b"no job's\n"),
        ("a.1.log", b"two\n"),
        ("b.1.log", b"three\n"),
    ):
        out.put(name, text)
    out.close(SECONDS)
    assert os.read(terminal, 1_000) == b"one\nno job's\ntwo\nthree\n"
    assert (tmp_path / "new" / "folder" / "a.1.log").read_bytes() == b"one\ntwo\n"
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["a.1.log", "b.1.log"]


def test_output_of_a_program_that_has_this_worker_goes_to_its_two_streams_as_it_is(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (out_reader, out_writer), (error_reader, error_writer) = os.pipe(), os.pipe()
    os.set_inheritable(out_writer, True)
    monkeypatch.setenv(output_sink.VARIABLE, f"{out_writer},{error_writer}")
    out = OutputSink(None, Log())
    assert output_sink.VARIABLE not in os.environ
    assert not os.get_inheritable(out_writer)
    out.put("a.1.log", b"\x1b[1mone\n")
    out.put("a.1.log", b"two\n", is_error=True)
    out.put("", b"three\n")
    out.close(SECONDS)
    assert os.read(out_reader, 1_000) == b"\x1b[1mone\nthree\n"
    assert os.read(error_reader, 1_000) == b"two\n"
    os.set_blocking(terminal, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal, 1_000)


def test_a_stopped_terminal_holds_up_nothing_and_what_is_too_much_is_counted(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_sink, "WAITING_BYTES_MAX", 300_000)
    log = Log()
    out = OutputSink(None, log)
    for _ in range(10):
        out.put("", b"x" * 100_000)  # more than a pipe takes
    read = 0
    while not log.arrived.is_set() or read < 300_000:
        read += len(os.read(terminal, 100_000))
    out.close(SECONDS)
    assert log.events == [("output.dropped", {"level": "warning", "bytes": 700_000})]


def test_a_directory_that_cannot_be_written_to_is_reported_once(terminal: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Log()
    out = OutputSink(tmp_path / "file", log)
    for _ in range(3):
        out.put("a.1.log", b"text\n")
    out.close(SECONDS)
    assert [action for action, _ in log.events] == ["output.not_kept"]
    assert os.read(terminal, 1_000) == b"text\n" * 3


def test_nothing_is_started_for_a_worker_whose_tasks_print_nothing() -> None:
    out = OutputSink(None, Log())
    assert out._thread is None
    out.close(SECONDS)
