"""The audit log in a browser: page by page, by key, and with hostile text shown as text."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.audit import AuditRow
from tq.common.errors import InvalidArgument
from tq.web.page import ViewRequest
from tq.web.rendering import render
from tq.web.views.audit import ROWS, audit

ROW = AuditRow(7, 1_000.0, 1_060.0, "ab12", "10.0.0.7:4242", bytes(16), "get_task_queue.pause", "paused queue",
               "<script>alert(1)</script>", 1, None)  # fmt: skip


class Page:
    """A log-in whose master has so many rows; it is its own App."""

    def __init__(self, rows: int) -> None:
        self.rows, self.app, self.asked = rows, self, list[tuple[Any, ...]]()

    def call(self, target: Any, method: str, *given: Any) -> list[list[Any]]:
        self.asked.append(given)
        most, before, _, _ = given
        last = self.rows if before is None else before - 1
        return [list(ROW._replace(number=number)) for number in range(last, max(0, last - most), -1)]


def shown(rows: int = 3, **query: str) -> tuple[Page, str, Any]:
    login = Page(rows)
    page = audit(login, ViewRequest(path={}, query=query))  # type: ignore[arg-type]
    return login, render(page.template, {**page.context, "may": lambda role: False}), page


def test_what_was_done_stands_in_words_and_markup_in_a_name_is_text() -> None:
    _, html, page = shown()
    assert "paused queue" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert (page.command, page.every is not None) == ("tq audit", True)


def test_a_full_page_leads_to_older_rows_and_those_stay_as_they_are() -> None:
    _, html, _ = shown(ROWS + 5)
    assert "before=6" in html
    login, html, page = shown(ROWS + 5, before="6", key="ab12")
    assert login.asked == [(ROWS, 6, None, "ab12")]
    assert "before=" not in html
    assert page.every is None
    assert page.command == "tq audit --key ab12"


def test_the_file_has_all_pages_as_the_command_prints_them() -> None:
    _, _, page = shown(700)
    assert len(page.rows()) == 700
    assert page.rows()[0]["node"] == "00" * 16


def test_an_address_that_names_no_place_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="from its beginning"):
        shown(before="x")
