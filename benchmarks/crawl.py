"""Fetching URLs: ``tq map tq.tasks.http:fetch`` beside a bare aiohttp script that writes the same lines, in turns on one server.

``python -m benchmarks.crawl`` is the whole reading: 200,000 URLs of a server of this host that takes 50 ms for each, 200 at once, nine
pairs. Everything of tq's is durable: the master syncs each commit. Processor time is that of all processes of a side, the server's by itself.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import click
import psutil

from .cluster import START_SECONDS_MAX, Measured, accepts, await_true, cluster, free_port
from .machine import machine
from .readings import Readings
from .scale import Scale

PROGRAMS: Final = "benchmarks.crawl_programs"
ROOT: Final = Path(__file__).resolve().parents[1]
URLS: Final = 200_000
CONCURRENCY: Final = 200
PAIRS: Final = 9
LATENCY_SECONDS: Final = 0.05
WARM_UP_URLS: Final = 2_000
RETRIES: Final = "5"
TQ: Final = "from tq.client.cli import main; main()"


class Side(NamedTuple):
    """What one of the two took. Seconds of processor time for each URL."""

    rate: float
    busy: float
    server: float


class Crawl:
    """A server, a cluster that fetches, and a list of URLs."""

    def __init__(
        self, folder: Path, measured: Measured, server: psutil.Process, url: str, concurrency: int
    ) -> None:
        self._folder, self._measured, self._server, self.url = folder, measured, server, url
        self._concurrency = concurrency

    def urls(self, number: int) -> Path:
        file = self._folder / f"urls-{number}"
        if not file.exists():
            with file.open("w") as lines:
                lines.writelines(f"{self.url}{index}\n" for index in range(number))
        return file

    def tq(self, number: int) -> Side:
        url, key = self._measured.url, self._measured.key("client").read_text("utf-8").strip()
        words = ["map", "tq.tasks.http:fetch", "--queue", "fetch", "--retries", RETRIES, "--unordered"]
        mine = [self._measured.master, *([self._measured.worker] if self._measured.worker else [])]
        return self._run(number, ["-c", TQ, *words], {"TQ_URL": url, "TQ_AUTHKEY": key}, mine)

    def bare(self, number: int) -> Side:
        return self._run(number, ["-m", PROGRAMS, "fetch", str(self._concurrency)], {}, [])

    def _run(
        self, number: int, words: list[str], variables: dict[str, str], mine: list[psutil.Process]
    ) -> Side:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("TQ_")
        } | variables
        out = self._folder / "lines"
        before, served, own = busy(mine), busy([self._server]), _children_seconds()
        began = time.perf_counter()
        with self.urls(number).open("rb") as lines, out.open("wb") as written:
            command = [sys.executable, *words]
            subprocess.run(command, stdin=lines, stdout=written, env=environment, cwd=ROOT, check=True)  # noqa: S603 - ours
        seconds = time.perf_counter() - began
        taken = busy(mine) - before + _children_seconds() - own
        with out.open("rb") as written:
            count = sum(1 for _ in written)
        if count != number:
            raise AssertionError(f"{count} lines of {number}")
        return Side(number / seconds, taken / number, (busy([self._server]) - served) / number)


@contextmanager
def crawling(
    concurrency: int, latency: float, pool: str, master_options: tuple[str, ...] = ()
) -> Iterator[tuple[Crawl, Measured]]:
    port = free_port()
    command = [sys.executable, "-m", PROGRAMS, "serve", str(port), str(latency)]
    with (
        tempfile.TemporaryDirectory(prefix="tq-crawl-") as folder,
        subprocess.Popen(command, cwd=ROOT) as server,  # noqa: S603 - ours
        cluster(slots=0, master_options=master_options) as measured,
    ):
        try:
            await_true(lambda: accepts(port))
            os.environ["TQ_HTTP_PER_HOST"] = str(concurrency)
            url = f"http://127.0.0.1:{port}/"
            measured.start_fetching_worker(pool)
            measured.app.named("tq.tasks.http:fetch").using(queue="fetch").submit(url).result(
                START_SECONDS_MAX
            )
            yield Crawl(Path(folder), measured, psutil.Process(server.pid), url, concurrency), measured
        finally:
            server.terminate()


def busy(processes: list[psutil.Process]) -> float:
    """Processor seconds of these and of all that they have started."""
    every = [one for process in processes for one in (process, *process.children(recursive=True))]
    return float(
        sum(sum(one.cpu_times()[:4]) for one in every)
    )  # with what it has waited for: a child may be replaced


def _children_seconds() -> float:
    """Of those that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pairs(crawl: Crawl, urls: int, number: int) -> Iterator[tuple[Side, Side]]:
    """tq and the script, in turns; who begins changes, because the second finds a warm machine."""
    crawl.tq(min(urls, WARM_UP_URLS))
    crawl.bare(min(urls, WARM_UP_URLS))
    for index in range(number):
        if index % 2:
            bare, tq = crawl.bare(urls), crawl.tq(urls)
        else:
            tq, bare = crawl.tq(urls), crawl.bare(urls)
        yield tq, bare


def crawl(scale: Scale) -> Readings:
    """``crawl.WHO.urls`` a second, ``crawl.WHO.busy_seconds`` and ``crawl.WHO.server_seconds`` of processor time a URL."""
    with crawling(CONCURRENCY, LATENCY_SECONDS, f"async:{CONCURRENCY}") as (one, _):
        [(tq, bare)] = pairs(one, scale.crawled_urls, 1)
    numbers = {}
    for who, side in (("tq", tq), ("bare", bare)):
        numbers[f"crawl.{who}.urls"] = side.rate
        numbers[f"crawl.{who}.busy_seconds"] = side.busy
        numbers[f"crawl.{who}.server_seconds"] = side.server
    return Readings(numbers=numbers)


@click.command()
@click.option("--urls", default=URLS, show_default=True, type=click.IntRange(1))
@click.option("--concurrency", default=CONCURRENCY, show_default=True, type=click.IntRange(1))
@click.option("--pairs", "number", default=PAIRS, show_default=True, type=click.IntRange(1))
@click.option(
    "--latency", default=LATENCY_SECONDS, show_default=True, type=click.FloatRange(0), help="Of the server."
)
@click.option("--pool", help="Of the worker.  [async:CONCURRENCY]")
def main(urls: int, concurrency: int, number: int, latency: float, pool: str | None) -> None:
    """The rate of tq beside a bare script, and what a URL costs more."""
    click.echo(f"{urls:,} URLs, {concurrency} at once, {latency * 1e3:g} ms of the server; {machine()}")
    with crawling(concurrency, latency, pool or f"async:{concurrency}") as (one, _):
        made = []
        for tq, bare in pairs(one, urls, number):
            made.append((tq, bare))
            click.echo(
                f"tq {tq.rate:,.0f} /s, {tq.busy * 1e6:,.0f} µs a URL (server {tq.server * 1e6:,.0f}); "
                f"script {bare.rate:,.0f} /s, {bare.busy * 1e6:,.0f} µs (server {bare.server * 1e6:,.0f}); "
                f"{tq.rate / bare.rate:.2f} ×, {(tq.busy - bare.busy) * 1e6:+,.0f} µs"
            )
    ratio = sorted(tq.rate / bare.rate for tq, bare in made)
    more = sorted(tq.busy - bare.busy for tq, bare in made)
    click.echo(
        f"rate {statistics.median(ratio):.2f} × of the script ({ratio[0]:.2f} to {ratio[-1]:.2f}); processor time "
        f"{statistics.median(more) * 1e6:+,.0f} µs a URL ({more[0] * 1e6:+,.0f} to {more[-1] * 1e6:+,.0f})"
    )


if __name__ == "__main__":
    main()
