"""When a process that lives counts as silent: by the looks of its guard, after its first sign, and never while it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from tq.common.runtime.sd_notify import Notifier
from tq.master.process_signs import (
    VARIABLE,
    MissedSigns,
    SignSocket,
    SignsOfLife,
    is_stopped,
    notifier_of,
)

from tests.cluster.programs import eventually


def looks(missed: MissedSigns, *signs: bool) -> list[bool]:
    return [missed.look(has_come=sign, is_stopped=False) for sign in signs]


def test_it_is_silent_after_so_many_looks_without_a_sign() -> None:
    assert looks(MissedSigns(3), True, False, False, False) == [False, False, False, True]


def test_a_sign_in_time_begins_it_again() -> None:
    assert looks(MissedSigns(3), True, False, False, True, False, False) == [False] * 6


def test_before_the_first_sign_nothing_is_counted_however_long_a_start_takes() -> None:
    assert looks(MissedSigns(3), *[False] * 1_000) == [False] * 1_000


def test_a_process_that_is_stopped_is_left_alone_and_has_all_the_time_again_when_it_goes_on() -> None:
    missed = MissedSigns(3)
    looks(missed, True, False, False)
    assert not any(missed.look(has_come=False, is_stopped=True) for _ in range(1_000))
    assert looks(missed, False, False, False) == [False, False, True]


def test_signs_come_over_the_socket_and_count_once() -> None:
    signs = SignSocket()
    process = SignsOfLife(os.dup(signs.descriptor))
    process.notify("READY=1", "STATUS=ready")
    assert not signs.has_come()
    process.notify("STATUS=ready")
    process.notify("WATCHDOG=1")
    assert signs.has_come()
    assert not signs.has_come()
    process.close()
    signs.close()


def test_signs_that_are_not_read_hold_up_nothing() -> None:
    signs = SignSocket()
    process = SignsOfLife(os.dup(signs.descriptor))
    for _ in range(10_000):  # more than any system keeps
        process.notify("WATCHDOG=1")
    signs.close()
    process.notify("WATCHDOG=1")
    process.close()


def test_a_process_with_a_guard_notifies_it_and_any_other_its_service_manager() -> None:
    signs = SignSocket()
    environment = {VARIABLE: str(os.dup(signs.descriptor)), "NOTIFY_SOCKET": "/run/manager"}
    found = notifier_of(environment)
    assert isinstance(found, SignsOfLife)
    assert VARIABLE not in environment
    found.close()
    signs.close()
    assert type(notifier_of({})) is Notifier


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not known")
def test_a_process_that_was_stopped_is_seen_as_such() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            assert not is_stopped(process.pid)
            process.send_signal(signal.SIGSTOP)
            eventually(lambda: is_stopped(process.pid))
            process.send_signal(signal.SIGCONT)
            eventually(lambda: not is_stopped(process.pid))
        finally:
            process.kill()
    assert not is_stopped(process.pid)  # it is gone
