"""A real browser, as a test uses it, and the page that it looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from xprocess import XProcess

from .page_client import PageProgram
from .programs import Master, eventually

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Until something is taken not to come: a machine may be very busy, and a view that took long on it is shown for up to a minute.
WAIT_MS = 90_000
ASK_SECONDS = 0.1  # each time three programs compute
AXE = Path(__file__).with_name("axe") / "axe.min.js"
IN_WORDS = (
    "(found) => found.passes.length === 0 ? ['it has looked at nothing'] : found.violations.flatMap("
    "(one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`))"
)


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here: apt-get install chromium; .ci/run insists on it")
    assert found is not None, "the page is to be tested in a browser: apt-get install chromium"
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    playwright = (
        pytest.importorskip("playwright.sync_api")
        if not os.environ.get("CI")
        else __import__("playwright.sync_api").sync_api
    )
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture
def page_program(master: Master, xprocess: XProcess, home: Path) -> Iterator[PageProgram]:
    program = PageProgram(xprocess, home, master, "--open")
    try:
        program.start()
        yield program
    finally:
        program.end()


class Tab:
    """A tab that notes what no page of ours may do: an error, a refused script, a dialog."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.wrong: list[str] = []
        self.page.on(
            "console", lambda message: self.wrong.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append(dialog.message), dialog.dismiss()))

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the view for people who cannot see, in the theme that is shown and in the other one."""
        self.page.evaluate(f"{AXE.read_text('utf-8')};0")
        found = self.page.evaluate(f"axe.run({{resultTypes: ['violations']}}).then({IN_WORDS})")
        self.page.evaluate("document.documentElement.dataset.theme = 'light'")
        found += self.page.evaluate(f"axe.run({{runOnly: ['color-contrast']}}).then({IN_WORDS})")
        return [str(one) for one in found]

    def until(self, script: str) -> None:
        """It is asked again and again from here: the page allows no text that is run as a program."""
        try:
            eventually(lambda: self.page.evaluate(script), WAIT_MS / 1000, every=ASK_SECONDS)
        except AssertionError:
            seen = self.page.inner_text("body")[:2_000]
            raise AssertionError(f"{script}\nat {self.page.url}, where one sees:\n{seen}") from None

    def live(self) -> None:
        """Until what changes reaches the page."""
        self.until("document.documentElement.dataset.stream === 'live'")

    def looks_again(self) -> None:
        """It asks for what it shows, as it does when something has changed, and shows the answer."""
        with self.page.expect_response(lambda answer: "hx-request" in answer.request.headers) as asked:
            self.page.evaluate("htmx.trigger(document.getElementById('live'), 'tq:look')")
        if version := asked.value.headers.get("x-version"):
            self.until(f"document.getElementById('live').dataset.version === '{version}'")

    def touch(self, *steps: Sequence[tuple[float, float]]) -> None:
        """Fingers, at these places one step after the other, put down with the first and lifted at the end."""
        session = self.page.context.new_cdp_session(self.page)
        for number, places in enumerate(steps):
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
            kind = "touchMove" if number else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()


def in_thread(act: Any) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()


def log_in(tab: Tab, url: str, key: str) -> None:
    """As a person does it: by the label of the field and the name of the button."""
    tab.page.goto(f"{url}/login")
    tab.page.get_by_label("Key").fill(key)
    tab.page.get_by_role("button", name="Log in").click()
