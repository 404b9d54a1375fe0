"""Who has changed something sees it at once, whatever the page had kept of what was before."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.domain.model import State

from .test_routes import Browser


class PausingMaster:
    """Has one queue, which can be paused."""

    def __init__(self) -> None:
        self.is_paused = False
        self.session = SimpleNamespace(known_cluster=None, away_seconds=0.0)

    def call(self, target: Any, method: str, *args: Any) -> Any:
        if method == "pause":
            self.is_paused = True
            return None
        return {"snapshot": self.snapshot, "list": list, "series": lambda: {"rows": []}}[method]()

    def snapshot(self) -> dict[str, Any]:
        row = {
            **dict.fromkeys(map(str, State), 0),
            **dict.fromkeys(("oldest_ready_seconds", "item_queue", "since", "until", "reason")),
            **dict.fromkeys(("rate", "maxsize", "submits_waiting", "assigned", "items"), 0),
            "name": "mail",
            "paused": self.is_paused,
        }
        return {"now": 1.0, "rate": 0.0, "queues": [row], "workers": [], "running": [], "failing": []}

    def close(self) -> None:
        pass


@pytest.fixture
def browser() -> Browser:
    made = Browser()
    made.login.app = made.app = PausingMaster()  # type: ignore[assignment]
    return made


def part(browser: Browser) -> str:
    return browser.ask("GET", "/queues", hx_target="live", hx_request="true").text


def test_a_person_who_pauses_a_queue_sees_it_paused_in_every_tab(browser: Browser) -> None:
    app: Any = browser.app
    browser.login.watcher.looked(app.snapshot(), 1.0, asked_at=time.monotonic())
    assert "/queues/resume" not in browser.ask("GET", "/queues").text
    assert "/queues/resume" not in part(browser)
    sent = browser.ask(
        "POST", "/queues/pause", {"csrf": browser.login.token, "queue": "mail", "back": "/queues"}
    )
    assert sent.status == 303
    assert "/queues/resume" in part(browser), "in a tab that looks again"
    opened = browser.ask("GET", "/queues").text
    assert "mail is paused" in opened
    assert "/queues/resume" in opened
