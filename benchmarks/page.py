"""What the page costs: a view at a million tasks, and twenty open pages.

*A view* is asked for by HTTP from the real ``tq web``: seconds until the answer is there, and the processor time that page and master took for
it, the first time and then five times more. The tasks are rows of their own, or those of a map, or those of a map that have all run.

*Open pages* are browsers in a process of their own, of three keys, on all views. What they cost the master is read while single tasks end all
the time, so that there is always something new; what they cost no-op tasks, in pairs of the same map with them and without, in the
processor time of client, master and worker.
"""

from __future__ import annotations

import contextlib
import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from tq.web.table import NAVIGATION

from .cluster import Measured, cluster
from .controls import busy_seconds, clock_of, pairs
from .page_store import fill_rows
from .readings import Readings
from .scale import Scale

SLOTS: Final = 2
ROLES: Final = ("admin", "client", "viewer")
ASKED_TIMES: Final = 5
FAILED_TASKS: Final = 3_000  # more than the view of failures reads
DONE_SECONDS_MAX: Final = 300.0
SETTLE_SECONDS: Final = 3.0
TRICKLE_SECONDS: Final = 0.05  # between two single tasks
FILTERS: Final[Mapping[str, str]] = {
    "many": "state=ready",
    "few": "queue=rare",
    "none": "name=no:such",
    "age": "older=1s",
    "words": "error~nowhere",
}


class Page(NamedTuple):
    """The program, and the cookie of a log-in for each role."""

    program: subprocess.Popen[str]
    url: str
    cookies: Mapping[str, str]

    def get(self, path: str, role: str = "admin") -> str:
        status, text, _ = _ask(self.url, "GET", path, cookie=self.cookies[role])
        if status != 200:
            raise AssertionError(f"{path}: {status} {text[:200]}")
        return text


def page(scale: Scale) -> Readings:
    """``page.rows.VIEW.seconds``, ``.busy_seconds`` and ``.first_busy_seconds``, ``page.arrays.…``, ``page.ended.…``; ``page.master_share``, ``page.quiet_share``, ``page.own_share``
    of a core; ``page.noop.share``, ``.low``, ``.high``, ``.plain_seconds``."""
    numbers: dict[str, float] = {"page.tasks": scale.page_tasks, "page.open": scale.pages}
    with cluster(slots=SLOTS) as measured:
        fill_rows(measured, scale.page_tasks)
        numbers |= _of_views("rows", measured)
    with cluster(slots=SLOTS) as measured:
        measured.app.named("elsewhere:served", queue="often").map(range(scale.page_tasks))
        numbers |= _of_views("arrays", measured)
        with opened(measured) as shown:
            numbers |= _of_open_pages(measured, shown, scale)
    with cluster(slots=SLOTS) as measured:
        ran = measured.app.named("bench_tasks:nothing", queue="often").map([1] * scale.page_tasks)
        ran.wait(DONE_SECONDS_MAX)
        numbers |= _of_views("ended", measured)
    with cluster(slots=SLOTS) as measured, opened(measured) as shown:
        numbers |= _of_noop_tasks(measured, shown, scale)
    return Readings(numbers=numbers)


# a view


def _of_views(kind: str, measured: Measured) -> dict[str, float]:
    failing = (
        measured.app.named("bench_tasks:fails_once", queue="failing")
        .using(retries=0)
        .map([True] * FAILED_TASKS)
    )
    failing.wait(DONE_SECONDS_MAX)
    numbers: dict[str, float] = {}
    with opened(measured) as shown:
        found = [shown.get(f"/tasks?where={quote('queue=often')}")]
        later = _next(found[0])
        places = {one.title.lower(): one.path for one in NAVIGATION}
        places |= {
            f"tasks.{name}": f"/tasks?{urlencode({'where': where})}" for name, where in FILTERS.items()
        }
        places |= {
            "tasks.next": later,
            "task": f"/tasks/{failing.ids[-1]}",
            "workers.day": "/workers?range=1d",
        }
        for name, path in places.items():
            before = _busy(measured, shown)
            shown.get(path)  # what comes first finds a cold machine
            numbers[f"page.{kind}.{name}.first_busy_seconds"] = _busy(measured, shown) - before
            seconds, before = [], _busy(measured, shown)
            for _ in range(ASKED_TIMES):
                began = time.perf_counter()
                shown.get(path)
                seconds.append(time.perf_counter() - began)
            numbers[f"page.{kind}.{name}.seconds"] = statistics.median(seconds)
            numbers[f"page.{kind}.{name}.busy_seconds"] = (_busy(measured, shown) - before) / ASKED_TIMES
    return numbers


def _next(text: str) -> str:
    _, _, rest = text.partition('rel="next" href="')
    return rest.partition('"')[0].replace("&amp;", "&") or "/tasks"


def _busy(measured: Measured, shown: Page) -> float:
    return sum(time.clock_gettime(clock_of(pid)) for pid in (measured.master.pid, shown.program.pid))


# open pages


def _of_open_pages(measured: Measured, shown: Page, scale: Scale) -> dict[str, float]:
    def shares(*, is_busy: bool) -> tuple[float, float]:
        """Of the master and of the page."""
        nothing = measured.app.named("bench_tasks:nothing", queue="trickle")
        pids = measured.master.pid, shown.program.pid
        before = [time.clock_gettime(clock_of(pid)) for pid in pids]
        began = time.perf_counter()
        while (gone := time.perf_counter() - began) < scale.page_seconds:
            if is_busy:
                nothing.submit(1)
            time.sleep(TRICKLE_SECONDS)
        master, own = (time.clock_gettime(clock_of(pid)) - was for pid, was in zip(pids, before, strict=True))
        return master / gone, own / gone

    quiet, busy = shares(is_busy=False), shares(is_busy=True)
    with watched(shown, scale.pages):
        time.sleep(SETTLE_SECONDS)
        quiet_open, busy_open = shares(is_busy=False), shares(is_busy=True)
    return {
        "page.quiet_share": max(0.0, quiet_open[0] - quiet[0]),
        "page.master_share": max(0.0, busy_open[0] - busy[0]),
        "page.own_share": max(0.0, busy_open[1] - busy[1]),
    }


def _of_noop_tasks(measured: Measured, shown: Page, scale: Scale) -> dict[str, float]:
    nothing = measured.app.named("bench_tasks:nothing")

    def run() -> float:
        before = busy_seconds(measured)
        ended = sum(1 for _ in nothing.map(range(scale.noop_tasks)).results(DONE_SECONDS_MAX))
        if ended != scale.noop_tasks:
            raise AssertionError(f"{ended} results of {scale.noop_tasks}")
        return (busy_seconds(measured) - before) / ended

    def run_watched() -> float:
        with watched(shown, scale.pages):
            return run()

    share = pairs(run, run_watched, scale.controlled_pairs)
    return {
        "page.noop.share": share.median,
        "page.noop.low": share.low,
        "page.noop.high": share.high,
        "page.noop.plain_seconds": share.plain,
    }


@contextlib.contextmanager
def watched(shown: Page, pages: int) -> Iterator[None]:
    """So many pages are open in the block."""
    places = [
        f"{shown.cookies[ROLES[number % len(ROLES)]]}:{path}"
        for number, path in zip(range(pages), _seen_by_all() * pages, strict=False)
    ]
    words = [sys.executable, "-m", "benchmarks.page_watchers", shown.url, *places]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=root) as program:  # noqa: S603 - ours
        try:
            assert program.stdout is not None  # noqa: S101 - a pipe was asked for
            if program.stdout.readline() != "open\n":
                raise AssertionError("the pages could not be opened")
            yield
            if program.poll() is not None:
                raise AssertionError("the pages were closed meanwhile")
        finally:
            program.kill()


def _seen_by_all() -> list[str]:
    return [one.path for one in NAVIGATION if one.role is None]


# the program


@contextlib.contextmanager
def opened(measured: Measured) -> Iterator[Page]:
    """``tq web``, with a person of each role logged in."""
    with measured.client("admin") as admin:
        viewer = admin.call(["get_keys"], "add", "viewer", [], "of the benchmark")
    words = [sys.executable, "-m", "tq.client.cli", "web", "--bind=127.0.0.1:0", f"--url={measured.url}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:  # noqa: S603 - ours
        try:
            assert program.stdout is not None  # noqa: S101 - a pipe was asked for
            url = program.stdout.readline().split()[-1]
            keys = {role: measured.key(role).read_text("utf-8").strip() for role in ("admin", "client")}
            yield Page(program, url, {role: _log_in(url, keys.get(role, viewer)) for role in ROLES})
        finally:
            program.terminate()


def _log_in(url: str, key: str) -> str:
    status, text, cookie = _ask(url, "POST", "/login", {"key": key, "next": "/"})
    if status != 303:
        raise AssertionError(f"the page lets no one in: {status} {text[:200]}")
    return cookie.partition("=")[2].partition(";")[0]


def _ask(
    url: str, method: str, path: str, form: Mapping[str, str] | None = None, cookie: str = ""
) -> tuple[int, str, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        body = None if form is None else urlencode(form)
        connection.request(method, path, body, {"Cookie": f"tq={cookie}"} if cookie else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers.get("set-cookie", "")
    finally:
        connection.close()
