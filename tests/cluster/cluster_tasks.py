"""The tasks of the cluster tests. What they did they tell by lines in a file, which a killed process leaves."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import tq

app = tq.App()

POLL_SECONDS = 0.01


def note(path: str, text: str) -> None:
    """One line, in one write, so that lines of several processes do not mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def count(path: str) -> int:
    try:
        return len(Path(path).read_text("utf-8").splitlines())
    except FileNotFoundError:
        return 0


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task(coalesce=tq.Coalesce(10, seconds=0.3), retries=1, backoff=0.05, max_crashes=2)
def together(items: list[Any]) -> list[Any]:
    """Each with how many came; "bad" fails all but itself, 13 ends the process, "error" fails by itself."""
    if "bad" in items and len(items) > 1:
        raise ValueError("one is bad")
    if 13 in items:
        os._exit(3)
    time.sleep(0.05)
    return [LookupError("no such") if item == "error" else [item, len(items)] for item in items]


@app.task
def echo(value: Any) -> Any:
    return value


@app.task
def attempt_after(ctx: tq.Context, seconds: float) -> int:
    """The number of its attempt, from its context."""
    time.sleep(seconds)
    return ctx.attempt


@app.task
def noted(path: str, number: int, seconds: float = 0.0) -> int:
    """Leaves a line for every start."""
    note(path, str(number))
    time.sleep(seconds)
    return number


@app.task
def hold(started: str, release: str) -> int:
    """Says that it runs, goes on until the file ``release`` is there, gives its process id."""
    note(started, str(os.getpid()))
    while not os.path.exists(release):
        time.sleep(POLL_SECONDS)
    print("let go", end="")  # no end of line: it leaves with the report that this is over
    return os.getpid()


@app.task
def until(released: str) -> None:
    """Runs until that file exists."""
    while not os.path.exists(released):
        time.sleep(POLL_SECONDS)


@app.task
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task
def large(seconds: float, size: int) -> str:
    time.sleep(seconds)
    return "x" * size


@app.task
def fail(message: str) -> None:
    raise LookupError(message)


@app.task
def shout(ctx: tq.Context, words: str, wide: str) -> None:
    """Says the words wherever a task can say something, and fails with an error of that name."""
    print(words)
    print(wide)
    print(words, file=sys.stderr)
    ctx.progress(1, 2, words)
    raise type(words, (Exception,), {})(words)


@app.task
def fail_seldom(number: int) -> int:
    if number % 1_000 == 1:
        raise ValueError(number)
    return number


@app.task
def die(number: int) -> None:
    os.kill(os.getpid(), number)


@app.task
def die_once(path: str, number: int) -> str:
    """Dies of the signal at its first try."""
    note(path, str(os.getpid()))
    if count(path) == 1:
        os.kill(os.getpid(), number)
    return "alive"


@app.task
def leave(code: int) -> None:
    os._exit(code)


@app.task
def say_exit(code: int) -> None:
    sys.exit(code)


@app.task
def spin(started: str) -> None:
    """An endless loop in C: no signal handler of Python gets a turn."""
    note(started, str(os.getpid()))
    sum(itertools.repeat(0))


@app.task
def succeed_after(path: str, failures: int) -> int:
    """Fails so many times; the number of its tries."""
    note(path, "try")
    tries = count(path)
    if tries <= failures:
        raise OSError(f"try {tries} fails")
    return tries


@app.task
def ask_again(path: str, after: float) -> int:
    note(path, "try")
    if count(path) == 1:
        raise tq.Retry("not yet", after=after)
    return count(path)


class Unchecked(tq.Retry):
    def __init__(self, after: Any) -> None:
        super().__init__("not yet")
        self.after = after


@app.task
def retry_unchecked(after: float) -> None:
    """As a worker's child that does not look at what it reports."""
    from tq.worker.child import verdict

    verdict.check_delay = lambda name, value: value
    raise Unchecked(after)


@app.task
def doze(path: str, seconds: float) -> int:
    note(path, "try")
    if count(path) <= 2:
        raise tq.Snooze(seconds)
    return count(path)


@app.task
def give_up(path: str) -> None:
    note(path, "try")
    raise tq.Discard("there is no such thing")


@app.task
def tidy(started: str, tidied: str) -> None:
    """Runs until it is asked to end, and then cleans up."""
    note(started, str(os.getpid()))
    try:
        while True:
            time.sleep(POLL_SECONDS)
    finally:
        note(tidied, "done")


@app.task
def deaf(started: str) -> None:
    """Does not want to end."""
    note(started, str(os.getpid()))
    while True:
        try:
            time.sleep(POLL_SECONDS)
        except (tq.TimeLimit, tq.CancelRequested):
            continue


@app.task
def about_me(ctx: tq.Context) -> list[Any]:
    return [ctx.id, ctx.attempt, ctx.queue, ctx.name, len(ctx.token)]


@app.task
def total(numbers: list[int]) -> int:
    """Hands out tasks of its own and waits for them."""
    return sum(add.submit(number, 0).result(timeout=30) for number in numbers)


@app.task
def environment_names() -> list[str]:
    return sorted(os.environ)


@app.task
async def soon(value: int) -> int:
    return value


@app.task
def submit_nonsense() -> None:
    app.task(lambda: None).submit()


@app.task
def say(ctx: tq.Context, words: str, times: int, gate: str = "") -> int:
    """Prints this many lines and reports progress; with a gate it continues when that file exists."""
    for number in range(times):
        print(words, number)
        ctx.progress(number + 1, times, words)
    while gate and not os.path.exists(gate):
        time.sleep(POLL_SECONDS)
    if gate:
        print("at the end")
    return times


@app.task
def say_and_die(number: int) -> None:
    print("my last words")
    signal.raise_signal(number)


@app.task
def whoami(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return os.getpid()


kept: list[bytearray] = []


@app.task
def keep(mebibytes: int) -> None:
    """Leaks."""
    kept.extend(bytearray(b"x" * 2**20) for _ in range(mebibytes))


@app.task
def grow(mebibytes: int) -> None:
    """Takes more and more, ten mebibytes at a time, and then goes on for a while."""
    print("growing")
    mine = []
    for _ in range(mebibytes // 10):
        mine.append(bytearray(b"x" * 10 * 2**20))
        time.sleep(POLL_SECONDS * 4)
    time.sleep(60)


@app.task
def supervisor_shows() -> list[str]:
    """What a task finds of its worker: everything readable, and the limits of both."""
    mine, its = ("self", str(os.getppid()))
    found = []
    for name in ("environ", "cmdline", "status", "limits"):
        try:
            found.append(Path(f"/proc/{its}/{name}").read_bytes().decode("utf-8", "replace"))
        except PermissionError:
            found.append("")
    return [*found, Path(f"/proc/{mine}/limits").read_text("utf-8")]


@app.task(retries=2, max_crashes=3)
def dies_between_steps(ctx: tq.Context, path: str) -> list[int]:
    """Its first attempt is killed behind its first step."""
    first = ctx.step("first", noted_attempt, path, "first", ctx.attempt)
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    ctx.sleep(0.3)
    return [first, ctx.step("second", noted_attempt, path, "second", ctx.attempt), ctx.attempt]


@app.task
async def awaits_steps(ctx: tq.Context, path: str) -> list[int]:
    first = await ctx.step("first", noted_attempt, path, "first", ctx.attempt)
    await ctx.sleep(0.1)
    return [first, await ctx.step("second", noted_attempt, path, "second", ctx.attempt)]


def noted_attempt(path: str, text: str, attempt: int) -> int:
    note(path, text)
    return attempt


@app.task
async def awaits_approval(ctx: tq.Context, timeout: float) -> list[Any]:
    try:
        signal = await ctx.wait_for("approved", timeout=timeout)
    except TimeoutError:
        return []
    return [signal.value, signal.role, ctx.attempt]


@app.task
def fill_own_queue(queue: str) -> None:
    """Submits to its own queue, of what no worker serves, until it is full."""
    while True:
        app.named("nowhere:job", queue=queue).submit()
