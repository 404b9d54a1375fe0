"""The pictures of the page in docs/howto: ``python -m tests.docs.pictures`` runs a shop for a quarter of an hour and takes them.

::

    tq-master, three tq-worker, tq web ─► a shop that goes on ─► Chromium, one view after the other ─► 256 colours ─► docs/howto/page-*.png

Look at each of them afterwards. ``--minutes 1`` is a look at whether it works: the lines of the overview are short then; ``--into DIR``
leaves those that are there alone. It needs what the test of the page needs: playwright, and the system's Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock
from tq.managers import SyncManager

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "howto"
SHOP = Path(__file__).with_name("shop.py")
WIDTH = 1200
COLOURS = 256  # of a picture: half the bytes of all colours, and no difference to the eye
ROUND_SECONDS = 6.0  # from one campaign of letters to the next
LAST_SECONDS = 30.0  # until half of a large array has succeeded
WAIT_MS = 60_000
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Picture(NamedTuple):
    """``path``: of the view; ``{flow}`` and the like stand for what the shop has made. ``point``: the mouse points there."""

    name: str
    path: str
    height: int
    is_dark: bool = False
    point: str = ""


PICTURES = (
    Picture("overview", "/", 900),
    Picture("tasks", "/tasks", 820),
    Picture("tasks-dark", "/tasks?where=queue%3Dimages,video,mail", 820, is_dark=True),
    Picture("failures", "/failures", 480),
    Picture("queues", "/queues", 640),
    Picture("limits", "/limits", 560),
    Picture("workers", "/workers?range=1min", 640, is_dark=True, point=".lanes rect:nth-of-type(6)"),
    Picture("schedules", "/schedules?cron=0+3+*+*+1-5", 460),
    Picture("flow", "/flows/{flow}", 560),
    Picture("submit", "/submit?name=shop:charge", 820),
    Picture("data", "/data", 420),
    Picture("cluster", "/cluster", 980),
)


def started(words: Sequence[object], said: str, home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A program of tq that has said this, and all that it has said."""
    program = str(Path(sys.executable).with_name(str(words[0])))
    log = home / f"{len(list(home.iterdir()))}.log"  # a pipe that is not read would stop it
    with log.open("wb") as output:
        running = subprocess.Popen(
            [program, *map(str, words[1:])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
        )
    while said not in (text := log.read_text("utf-8")):
        if running.poll() is not None:
            raise RuntimeError(f"{words[0]} has ended:\n{text}")
        time.sleep(0.1)
    return running, text


class Running(NamedTuple):
    """``link`` logs in, once and within a minute."""

    port: int
    key: str
    link: str


@contextlib.contextmanager
def cluster(home: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    programs = []
    try:
        master = ["tq-master", "--bind", f"127.0.0.1:{port}", "--data", home / "state"]
        programs.append(started(master, "master.started", home)[0])
        keys = home / "state"
        shutil.copy(SHOP, home / "shop.py")
        worker = ["tq-worker", "--connect", f"127.0.0.1:{port}", "--authkey-file", keys / "worker.key"]
        for rack in range(3):
            labels = ["--label", f"rack=b{rack}", "--label", "version=2026-11"]
            pools = ["--slots", 3] if rack else ["--pool", "process:2", "--pool", "thread:20@mail,billing"]
            programs.append(started([*worker, *pools, *labels, "shop.py"], "worker.connected", home)[0])
        admin = ["--url", f"tq://127.0.0.1:{port}", "--authkey-file", keys / "admin.key"]
        page, said = started(["tq", "web", "--bind", "127.0.0.1:0", *admin, "--open"], "logs you in", home)
        programs.append(page)
        key = (keys / "admin.key").read_text("utf-8").strip()
        yield Running(port, key, re.findall(r"logs you in: (\S+)", said)[-1])
    finally:
        for one in reversed(programs):
            one.kill()  # reports would run on for half an hour; what they leave is in a temporary directory
            one.wait()


class Shop:
    """Its customers, by the tasks as the shop declares them."""

    def __init__(self, running: Running) -> None:
        os.environ.update(TQ_URL=f"tq://127.0.0.1:{running.port}", TQ_AUTHKEY=running.key)
        sys.path.insert(0, str(SHOP.parent))
        self.tasks = importlib.import_module("shop")  # under the name that the workers know
        self.app: tq.App = self.tasks.app
        self.admin = tq.App(os.environ["TQ_URL"], running.key, role="admin")
        self._lock = Lock(self.app.session, "deploy")
        self._running = running

    def opens(self) -> dict[str, str]:
        """What stands in it from the beginning; answers what a path of a view may name."""
        tasks = self.tasks
        self.admin.call(("get_task_queue", "billing"), "pause", "the provider is down until noon")
        tasks.resize.using(queue="search", needs={"tpu": 1}).map(range(400))
        tasks.send.using(queue="billing").map([f"c{number % 5}" for number in range(340)])
        for month in ("October", "November"):
            tasks.report.submit(month)
        for scene in ("intro", "outro"):
            tasks.render.submit(scene)
        tasks.fetch_rates.map(["2026-11-28", "2026-11-29"])
        tasks.charge.using(delay=3_600, tags={"order": "4711"}).map([tasks.Order("tea", 4.5)] * 12)
        flow = self.month_closes()
        self.app.schedules.add("cleanup", tasks.cleanup, cron="* * * * *", args=(7,))
        nightly: Any = {"cron": "0 3 * * 1-5", "tz": "Europe/Berlin"}
        self.app.schedules.add("nightly-report", tasks.report, **nightly, args=("this month",))
        self.app.schedules.add("rates", tasks.fetch_rates, every=300.0, args=("today",))
        self.admin.call(("get_strikes",), "add", "tenant=globex", "their data is moved", 3_600.0)
        self.admin.set_tenant("acme", weight=3)
        letters = ItemQueue(self.app.session, "letters")
        for name in ("ann", "ben", "cid"):
            letters.put({"to": name, "password": "1234"})
        manager: Any = SyncManager(address=("127.0.0.1", self._running.port), authkey=self._running.key)
        manager.connect()
        manager.dict({"ham": 3, "eggs": 12}, name="counts")
        manager.list(["ann", "ben"], name="recent")
        self._lock.acquire()
        return {"flow": flow}

    def goes_on(self, seconds: float) -> None:
        """Customers come and go."""
        until, round = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            customers = [("acme", "globex", "initech", "acme")[number % 4] for number in range(60)]
            self.tasks.send.using(tags={"campaign": "november"}).map(customers)
            if round % 3 == 0:
                self.tasks.resize.using(tags={"order": "4711"}).map(range(60))
            round += 1
            time.sleep(min(left, ROUND_SECONDS))

    def fills_the_list(self) -> None:
        """One of each stands among the newest tasks."""
        self.tasks.render.submit("credits")
        self.month_closes()
        self.tasks.report.submit("December")
        self.tasks.resize.using(tags={"order": "4712"}).map(range(900))
        self.goes_on(LAST_SECONDS)

    def month_closes(self) -> str:
        with self.app.flow("monthly close") as flow:
            parts = [self.tasks.charge.submit(self.tasks.Order("tea", float(number))) for number in range(8)]
            self.tasks.publish.submit(self.tasks.total.submit(parts))
        return flow.id

    def closes(self) -> None:
        self._lock.release()
        self.admin.close()
        self.app.close()


@contextlib.contextmanager
def logged_in(link: str) -> Iterator[Any]:
    """A tab of who has used the link. It serves once and for a minute, so it is used before the shop opens."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        tab = browser.new_context(viewport={"width": WIDTH, "height": 900}).new_page()
        tab.set_default_timeout(WAIT_MS)
        tab.goto(link)
        tab.wait_for_selector("#live")
        yield tab
        browser.close()


def taken(tab: Any, url: str, found: dict[str, str], into: Path) -> None:
    tab.goto(url + "/cluster")
    tab.get_by_role("button", name="Examine").click()
    tab.locator("text=round trip").first.wait_for()
    for one in PICTURES:
        tab.set_viewport_size({"width": WIDTH, "height": one.height})
        tab.emulate_media(color_scheme="dark" if one.is_dark else "light")
        tab.goto(url + one.path.format(**found))
        tab.locator("html[data-stream=live]").wait_for(state="attached")
        if one.name == "overview":
            tab.locator(".chart canvas").first.wait_for()
        if one.point:
            tab.locator(one.point).first.hover(force=True)
        keep(tab.screenshot(), into / f"page-{one.name}.png")


def keep(shot: bytes, path: Path) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.docs.pictures")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--into", type=Path, default=FOLDER)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        cluster(Path(home)) as running,
        logged_in(running.link) as tab,
        ThreadPoolExecutor(1) as thread,  # playwright has its event loop in this one
    ):
        shop = thread.submit(Shop, running).result()
        found = thread.submit(shop.opens).result()
        thread.submit(shop.goes_on, given.minutes * 60).result()
        thread.submit(shop.fills_the_list).result()
        taken(tab, running.link.partition("/open")[0], found, given.into)
        thread.submit(shop.closes).result()


if __name__ == "__main__":
    main()
