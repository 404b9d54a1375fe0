"""A program that has ended is not ended a second time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from tq.common.runtime.end_signals import on_end_signals
from tq.common.runtime.event_loop import run_loop

async def main():
    asked = asyncio.Event()
    ended = on_end_signals(asked.set)
    print("runs", flush=True)
    await asked.wait()
    ended()

run_loop(main())
print("stopped", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("loop", ["asyncio", ""])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_end_changes_neither_the_status_nor_what_is_said(number: int, loop: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TQ_LOOP": loop},
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "runs\n"
        program.send_signal(number)
        assert program.stdout.readline() == "stopped\n"
        for late in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            program.send_signal(late)
        assert program.communicate("go on\n", timeout=20) == ("", "")
        assert program.returncode == 0
