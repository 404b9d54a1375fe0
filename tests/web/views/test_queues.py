"""The first items of a queue of items, on the page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tq.common.values.codec import encode
from tq.web.logins import Login
from tq.web.page import ViewRequest
from tq.web.rendering import render
from tq.web.views.queues import queues

ITEMS = [[9, encode({"password": "1234", "to": "ann"})], [300_000, None], [3, b"\xc1"]]
ROW: dict[str, Any] = {
    "name": "letters",
    "items": 3,
    "item_queue": {"kind": "fifo", "shut": False, "come": 2.0, "gone": 0.0, "taken": 1},
}


class Master:
    def call(self, target: Any, method: str, *args: Any) -> Any:
        assert (target, method, args) == (("get_queue", "letters"), "peek", (10,))
        return ITEMS


def test_items_are_shown_without_their_secrets_and_those_that_cannot_be_with_the_reason() -> None:
    watcher = SimpleNamespace(snapshot={"queues": [ROW]}, away_since=None, is_stale=lambda: False)
    page = queues(
        cast(Login, SimpleNamespace(app=Master(), watcher=watcher)),
        ViewRequest(path={}, query={"peek": "letters"}),
    )
    text = render(page.template, dict(page.context))
    assert "1234" not in text
    for words in ("ann", "[hidden]", "too large to show", "2.0/s in, 0/s out", "1 taken and not confirmed"):
        assert words in text
    assert page.command == "tq queues peek letters"
    assert page.rows is not None
    assert [row["place"] for row in page.rows()] == [1, 2, 3]
