"""What a test does to the signals of its process ends with it: programs that later tests start inherit what is ignored."""

from __future__ import annotations

import signal

SEEN: list[object] = []


def test_a_program_that_ends_here_ignores_its_signals() -> None:
    SEEN.append(signal.getsignal(signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_the_next_test_finds_them_as_they_were() -> None:
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not SEEN or signal.getsignal(signal.SIGTERM) is SEEN[0]
