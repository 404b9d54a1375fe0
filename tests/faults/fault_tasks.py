"""Tasks that do the worst to their own process, and say in a file when they are about to."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import subprocess
import sys

import tq

app = tq.App()


def first_time(path: str) -> bool:
    """Whether this is the first call with this path."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


@app.task
def abort_once(path: str) -> str:
    if first_time(path):
        os.abort()
    return "alive"


@app.task
def leave_once(path: str, code: int) -> str:
    if first_time(path):
        os._exit(code)
    return "alive"


@app.task
def exit_once(path: str, code: int) -> str:
    if first_time(path):
        sys.exit(code)
    return "alive"


@app.task
def die_of_once(path: str, number: int) -> str:
    if first_time(path):
        os.kill(os.getpid(), number)
    return "alive"


@app.task
def close_everything_once(path: str) -> str:
    """Without its descriptors a child can neither receive nor send any more."""
    if first_time(path):
        os.closerange(3, 1_024)
    return "alive"


@app.task
def orphan_once(path: str) -> str:
    """Leaves a process that holds whatever descriptors it can, and dies."""
    if first_time(path):
        waiting = "import sys; sys.stdin.read()"
        unread, unwritten = os.pipe()
        os.set_inheritable(unwritten, True)  # it holds both ends, so that it never ends by itself
        child = subprocess.Popen(
            [sys.executable, "-c", waiting], stdin=unread, close_fds=False, start_new_session=True
        )
        with open(path, "w", encoding="utf-8") as file:
            file.write(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@app.task
def kill_worker() -> None:
    """The supervisor, and with it this process and its neighbours."""
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


@app.task
def out_of_memory_once(path: str) -> str:
    if first_time(path):
        limits = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (2**33, limits[1]))
        try:
            bytearray(2**40)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
    return "alive"


@app.task
def loop_in_c_once(path: str) -> str:
    """No signal handler of Python gets a turn."""
    if first_time(path):
        sum(itertools.repeat(0))
    return "alive"


@app.task
def fail_now_and_then(number: int) -> int:
    if number % 20 == 13:
        raise ValueError(f"{number} is no good")
    return number


@app.task
def join(path: str, values: list[object]) -> list[int]:
    """The sum of what succeeded, and how much did not; each run leaves a line."""
    with open(path, "a", encoding="utf-8") as file:
        file.write("joined\n")
    good = [value for value in values if isinstance(value, int)]
    return [sum(good), sum(isinstance(value, tq.Failed) for value in values)]


@app.task
def note_end(flow: dict[str, object]) -> None:
    """The name of the flow is a file."""
    with open(str(flow["name"]), "a", encoding="utf-8") as file:
        file.write(f"{flow['state']} {flow['run']}\n")
