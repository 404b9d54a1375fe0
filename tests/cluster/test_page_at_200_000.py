"""The page in a browser, by keys alone, with very many tasks behind it."""

from __future__ import annotations

from typing import Any

import pytest
import tq

from .browsing import Tab, in_thread
from .page_client import PageProgram

MANY = 200_000
LINES = "[...document.querySelectorAll('#live tbody tr')].map((row) => row.dataset.key)"
TIMES = "[...document.querySelectorAll('#live td')].map((cell) => cell.innerText.match(/×([0-9,]+)$/)).filter(Boolean).map((found) => Number(found[1].replaceAll(',', '')))"
READY = "(document.querySelector('.chip.s-ready b') || {}).textContent"


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_two_hundred_thousand_tasks_are_paged_filtered_and_opened_by_keys(
    browser: Any, page_program: PageProgram, app: tq.App
) -> None:
    def fill() -> None:
        many = app.named("jobs:held", queue="many")
        many.map(range(MANY // 2))
        for number in range(3):
            app.named("jobs:rare", queue="few").submit(number)
        many.map(range(MANY // 2))
        for number in range(120):
            app.named("jobs:held", queue="single").submit(number)

    def lines(key: str) -> list[str]:
        """Of the page to which a key leads."""
        with tab.page.expect_navigation():
            tab.page.keyboard.press(key)
        return list(tab.page.evaluate(LINES))

    # the link lasts a minute, so who looks is in before the tasks come
    tab = Tab(browser.new_context(viewport={"width": 1280, "height": 800}))
    tab.page.goto(page_program.link)
    tab.page.wait_for_url(page_program.url + "/")
    in_thread(fill)
    tab.page.goto(page_program.url + "/tasks")
    tab.until(f"{READY} === '{MANY + 123:,}'")

    # all lines once, forth and back
    pages, tasks = [tab.page.evaluate(LINES)], sum(tab.page.evaluate(TIMES))
    while tab.page.locator("a[rel='next']").count():
        pages.append(lines("n"))
        tasks += sum(tab.page.evaluate(TIMES))
    assert tasks == MANY, "arrays are a line each"
    shown = [key for page in pages for key in page]
    assert len(shown) == len(set(shown))
    assert [len(page) for page in pages[:2]] == [50, 50]
    assert 125 <= len(shown) < 140, "120 and 3 single ones, and some arrays"
    for page in pages[-2::-1]:
        assert lines("p") == page

    # a filter that finds few of many
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("queue=few")
    assert len(lines("Enter")) == 3
    assert set(tab.page.locator("#live tbody tr td:nth-child(3)").all_inner_texts()) == {"jobs:rare"}

    # an array is opened, paged, and one task of it is looked at
    tab.page.goto(page_program.url + "/tasks?where=queue%3Dmany")
    assert sum(tab.page.evaluate(TIMES)) == MANY
    tab.page.keyboard.press("j")
    first, second = lines("Enter"), lines("n")
    assert "array=" in tab.page.url
    assert [len(set(first)), len(set(second)), len({*first, *second})] == [50, 50, 100]
    assert lines("p") == first
    tab.page.keyboard.press("j")
    lines("Enter")
    assert tab.page.url.endswith(f"/tasks/{first[0]}")
    assert int(tab.text(".args td")) in range(MANY // 2)
    assert "no worker" in tab.text(".why")
    assert tab.wrong == []
    tab.page.context.close()
