"""What a test does to the process it runs in ends with it: to its signals, which later programs inherit, to what is imported, and to who may read files."""

from __future__ import annotations

import os
import signal
import sys

from tq.common.domain import context

from .conftest import mask_of_files

SEEN: list[object] = []
MASKS: list[int] = []


def test_a_program_that_ends_here_ignores_its_signals_and_looks_in_its_directory() -> None:
    SEEN.append(signal.getsignal(signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.insert(0, "/working/directory")
    MASKS.append(os.umask(0o077))
    context.provide(object())  # type: ignore[arg-type] # as where tasks run


def test_the_next_test_finds_them_as_they_were() -> None:
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not SEEN or signal.getsignal(signal.SIGTERM) is SEEN[0]
    assert "/working/directory" not in sys.path
    assert context._surroundings is None
    assert not MASKS or mask_of_files() == MASKS[0]
