"""What the supervisor reads of one child besides its reports: output, stacks of its threads, the shared memory with its progress
and with the words that say which jobs it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ...common.runtime.callbacks import contained
from ..child.output_marks import NONCE_BYTES, PAGE_BYTES, Splitter, read_progress
from ..child.start_page import WORDS_BYTES, StartPage
from .pipe import open_pipe

READ_BYTES: Final = 64 * 1024
READS_MAX: Final = 32  # at once: a child that never stops printing does not hold up the loop
STACKS_BYTES_MAX: Final = 16 * 1024
OURS: Final = os.path.join(str(Path(os.path.abspath(__file__)).parents[1]), "")
NOT_THE_USERS: Final = (f'  File "{OURS}', '  File "<frozen runpy>"', "Extension modules:")


class OutputReader:
    """``on_output(ordinal, text)``: receives output, with the ordinal of the last mark before it. ``on_bug``: receives what
    ``on_output`` raises."""

    def __init__(self, on_output: Callable[[int, bytes], None], on_bug: Callable[[Exception], None]) -> None:
        self._on_output, self._on_bug = on_output, on_bug
        self._loop = asyncio.get_running_loop()
        nonce = os.urandom(NONCE_BYTES)
        self._splitter = Splitter(nonce)
        with contextlib.ExitStack() as undo:
            self._output, self.child_output = open_pipe(undo)
            self._stacks, self._child_stacks = open_pipe(undo)
            self._child_page = _memory(PAGE_BYTES + WORDS_BYTES)
            undo.callback(os.close, self._child_page)
            self._page = mmap.mmap(self._child_page, PAGE_BYTES + WORDS_BYTES)
            undo.pop_all()
        for descriptor in (self._output, self._stacks, self._child_stacks):
            os.set_blocking(descriptor, False)  # stacks are written by a signal handler: it never waits
        self._words = memoryview(self._page)[PAGE_BYTES:].cast("Q")
        self.starts = StartPage(self._words)
        self.passed = (self._child_page, self._child_stacks)
        self.nonce = nonce.hex()

    def started(self) -> None:
        """The child has inherited its ends: they are closed here."""
        for descriptor in (self.child_output, *self.passed):
            os.close(descriptor)
        self._loop.add_reader(self._output, self._readable)

    def undo(self) -> None:
        """The child was not started: close both sides."""
        for descriptor in (self.child_output, *self.passed):
            os.close(descriptor)
        self.close()

    def progress(self) -> tuple[int, list[Any]] | None:
        """The ordinal of the job that last set its progress, and that progress."""
        return read_progress(self._page)

    def read_rest(self) -> None:
        """Read what was printed until now. Called before a report is acted on, so that output precedes the end of its job."""
        for _ in range(READS_MAX):
            if not self._read():
                return

    def stacks(self) -> str:
        """What faulthandler has written, without the worker's own frames."""
        try:
            text = os.read(self._stacks, READ_BYTES)
        except OSError:
            return ""
        lines = text[:STACKS_BYTES_MAX].decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith(NOT_THE_USERS)).strip()

    def close(self) -> None:
        self._loop.remove_reader(self._output)
        self._words.release()
        self._page.close()
        os.close(self._output)
        os.close(self._stacks)

    def broke(self, error: Exception) -> None:
        self._on_bug(error)  # reading goes on: a child whose pipe is full would be stuck

    @contained
    def _readable(self) -> None:
        if self._read() is None:
            self._loop.remove_reader(self._output)  # all its ends are closed

    def _read(self) -> bool | None:
        """Read once. False: there is nothing now; None: there will be nothing more."""
        try:
            data = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return None
        for ordinal, text in self._splitter.feed(data):
            self._on_output(ordinal, text)
        return True if data else None


def _memory(size: int) -> int:
    """A descriptor of memory that can be shared with a process that is started, not forked."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tq-page")
    else:
        with tempfile.TemporaryFile() as file:  # without a name: gone with its last user
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
