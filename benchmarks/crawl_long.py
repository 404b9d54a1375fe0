"""Two million URLs: is each line there once, and does memory stay the same? ``make crawl``; ``make crawl URLS=50000`` is a look.

The server of the crawl takes 50 ms for each and 200 are under way; results are kept for a minute. What ``tq map`` writes is read and
counted here, and kept nowhere. Every few seconds the memory of each program is noted: the last fifth of the time has to be as the second
fifth, within ten per cent, after the first has filled what is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import IO, Final, NamedTuple

import click
import psutil

from .cluster import Measured
from .crawl import CONCURRENCY, LATENCY_SECONDS, RETRIES, ROOT, TQ, crawling
from .machine import machine

URLS: Final = 2_000_000
KEPT_SECONDS: Final = 60
JUDGED_SECONDS_MIN: Final = 5.0 * KEPT_SECONDS  # before, what is kept is not complete
LOOKS: Final = 50  # in all; each at least LOOK_SECONDS_MIN after the one before
LOOK_SECONDS_MIN: Final = 2.0
GROWTH_MAX: Final = 1.1
REQUESTED: Final = b'"requested": "'
MEBIBYTE: Final = 1024 * 1024


class Look(NamedTuple):
    """Megabytes of each program, and of the store's files, when so many lines were there."""

    lines: int
    seconds: float
    megabytes: dict[str, float]


class Ticks:
    """Which lines came. ``url``: what stands before their numbers."""

    def __init__(self, number: int, url: str) -> None:
        self._seen, self._url = bytearray(number), url.encode()
        self.lines = 0

    def take(self, line: bytes) -> None:
        self.lines += 1
        begin = line.index(REQUESTED) + len(REQUESTED) + len(self._url)
        self._seen[int(line[begin : line.index(b'"', begin)])] += 1

    @property
    def missing(self) -> int:
        return self._seen.count(0)


def is_judged(looks: Sequence[Look]) -> bool:
    return len(looks) >= 5 and looks[-1].seconds >= JUDGED_SECONDS_MIN


def grown(looks: Sequence[Look]) -> list[str]:
    """Programs that have grown from the second fifth to the last one, in words; none if that is too early to say."""
    if not is_judged(looks):
        return []
    fifth = len(looks) // 5
    found = []
    for who in looks[-1].megabytes:
        before, after = (
            max(one.megabytes[who] for one in part) for part in (looks[fifth : 2 * fifth], looks[-fifth:])
        )
        if after > before * GROWTH_MAX:
            found.append(f"{who}: {before:,.0f} MB in the second fifth, {after:,.0f} MB in the last")
    return found


def follow(
    lines: Iterable[bytes], ticks: Ticks, programs: dict[str, psutil.Process], every: int
) -> list[Look]:
    began = looked = time.monotonic()
    looks = []
    for line in lines:
        ticks.take(line)
        if ticks.lines % every:
            continue
        now = time.monotonic()
        if now - looked >= LOOK_SECONDS_MIN:
            looked = now
            looks.append(
                Look(ticks.lines, now - began, {who: _megabytes(one) for who, one in programs.items()})
            )
            shown = ", ".join(f"{who} {size:,.0f} MB" for who, size in looks[-1].megabytes.items())
            click.echo(f"{ticks.lines:>9,} lines, {ticks.lines / (now - began):,.0f} /s: {shown}")
    return looks


def _megabytes(process: psutil.Process) -> float:
    every = [process, *process.children(recursive=True)]
    return float(sum(one.memory_info().rss for one in every)) / MEBIBYTE


def _map(measured: Measured, urls: IO[bytes]) -> subprocess.Popen[bytes]:
    words = ["map", "tq.tasks.http:fetch", "--queue", "fetch", "--retries", RETRIES, "--unordered"]
    key = measured.key("client").read_text("utf-8").strip()
    environment = {**os.environ, "TQ_URL": measured.url, "TQ_AUTHKEY": key}
    command = [sys.executable, "-c", TQ, *words]
    return subprocess.Popen(command, stdin=urls, stdout=subprocess.PIPE, env=environment, cwd=ROOT)  # noqa: S603 - ours


@click.command()
@click.option("--urls", default=URLS, show_default=True, type=click.IntRange(1))
@click.option("--concurrency", default=CONCURRENCY, show_default=True, type=click.IntRange(1))
@click.option(
    "--latency", default=LATENCY_SECONDS, show_default=True, type=click.FloatRange(0), help="Of the server."
)
@click.option("--pool", help="Of the worker.  [async:CONCURRENCY]")
def main(urls: int, concurrency: int, latency: float, pool: str | None) -> None:
    """Fetch them all; the exit status is 1 if a line is missing or there twice, or if a program has grown."""
    click.echo(f"{urls:,} URLs, {concurrency} at once; {machine()}")
    options = (f"--result-ttl-seconds={KEPT_SECONDS}",)
    with crawling(concurrency, latency, pool or f"async:{concurrency}", options) as (crawl, measured):
        ticks = Ticks(urls, crawl.url)
        with crawl.urls(urls).open("rb") as lines, _map(measured, lines) as process:
            assert process.stdout is not None and measured.worker is not None  # noqa: S101, PT018 - both are there
            programs = {
                "master": measured.master,
                "worker": measured.worker,
                "tq map": psutil.Process(process.pid),
            }
            looks = follow(process.stdout, ticks, programs, max(1, urls // LOOKS))
        status = process.returncode
    trouble = grown(looks)
    if status or ticks.missing or ticks.lines != urls:
        trouble.insert(
            0, f"tq map ended with {status}; {ticks.lines:,} lines, {ticks.missing:,} URLs have none"
        )
    memory = (
        "memory flat within ten per cent" if is_judged(looks) else "too short to say whether memory grows"
    )
    click.echo("\n".join(trouble) or f"each of {urls:,} lines once; {memory}")
    sys.exit(1 if trouble else 0)


if __name__ == "__main__":
    main()
