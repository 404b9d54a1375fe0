"""Keys and answers, and what ``tq top`` makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tq.client.cli.top.state import (
    HISTORY,
    HOME,
    Effect,
    ListEntry,
    Model,
    View,
    detailed,
    filter_of,
    items,
    looked,
    lost,
    press,
)

from .looks import NOW, look, queue


def pressed(model: Model, *keys: str) -> Model:
    for key in keys:
        model, _ = press(model, key)
    return model


@pytest.fixture
def model() -> Model:
    return looked(Model(), look())


def test_the_first_look_puts_the_cursor_on_the_first_queue(model: Model) -> None:
    assert model.cursor == ListEntry("queues", "img")
    assert len(items(model)) == 7


def test_arrows_and_letters_go_through_all_lists_and_stop_at_the_ends(model: Model) -> None:
    there = items(model)
    assert pressed(model, "up").cursor == there[0]
    assert pressed(model, *["down"] * 3).cursor == there[3]
    assert pressed(model, *["j"] * 99).cursor == there[-1]
    assert pressed(model, *["j"] * 99, "k").cursor == there[-2]


def test_tab_goes_to_the_next_list_and_round(model: Model) -> None:
    sections = []
    for _ in range(5):
        model = pressed(model, "tab")
        assert model.cursor is not None
        sections.append(model.cursor.section)
    assert sections == ["workers", "running", "failing", "queues", "workers"]


def test_the_cursor_stays_on_its_thing_when_another_look_moves_it(model: Model) -> None:
    model = pressed(model, "down")
    more = look(queues=[queue("aaa"), *look()["queues"]])
    assert looked(model, more).cursor == ListEntry("queues", "mail")


def test_the_cursor_stays_in_its_list_when_its_thing_is_gone(model: Model) -> None:
    model = pressed(model, "tab", "down")
    gone = looked(model, look(workers=look()["workers"][:1]))
    assert gone.cursor == ListEntry("workers", "aa" * 16)
    assert looked(model, look(workers=[])).cursor == ListEntry("queues", "img")
    empty = look(queues=[], workers=[], running=[], failing=[])
    assert looked(model, empty).cursor is None
    assert pressed(looked(model, empty), "down", "tab", "enter", "p", "r").view == HOME


@pytest.mark.parametrize(
    ("tabs", "view"),
    [
        (0, View("queue", "img", "img")),
        (1, View("worker", "aa" * 16, "crow")),
        (2, View("task", "00" * 15 + "01", "00" * 15 + "01")),
        (3, View("task", "00" * 15 + "02", "00" * 15 + "02")),
    ],
)
def test_enter_opens_and_escape_goes_back(model: Model, tabs: int, view: View) -> None:
    opened = pressed(model, *["tab"] * tabs, "enter")
    assert opened.view == view
    assert pressed(opened, "escape").view == HOME
    assert pressed(opened, "escape", "escape").view == HOME


def test_a_queue_leads_to_its_tasks(model: Model) -> None:
    model = pressed(model, "enter")
    rows = [{"id": number.to_bytes(16, "big")} for number in range(3)]
    model = detailed(model, model.view, {"rows": rows})
    assert pressed(model, "down", "enter").view == View("task", rows[1]["id"].hex())
    assert pressed(model, *["down"] * 9).row == 2
    assert pressed(model, *["down"] * 9, "enter", "escape").view.kind == "queue"


def test_an_answer_for_a_view_that_was_left_is_dropped(model: Model) -> None:
    view = pressed(model, "enter").view
    assert detailed(model, view, {"rows": []}).detail is None


def test_the_cursor_of_a_list_that_became_shorter_stays_in_it(model: Model) -> None:
    model = replace(pressed(model, "enter"), row=7)
    assert detailed(model, model.view, {"rows": [{"id": b"x" * 16}]}).row == 0


@pytest.mark.parametrize(("downs", "kind", "name"), [(0, "pause", "img"), (1, "resume", "mail")])
def test_pausing_asks_first(model: Model, downs: int, kind: str, name: str) -> None:
    asked, effect = press(pressed(model, *["down"] * downs), "p")
    assert effect is None
    assert asked.question is not None
    assert asked.question.text == f"{kind} queue {name}?"
    assert press(asked, "y")[1] == Effect(kind, name)
    for other in ("n", "escape", "q", "enter"):
        refused, effect = press(asked, other)
        assert (effect, refused.question, refused.message) == (None, None, "nothing was changed")


def test_retrying_asks_with_the_number(model: Model) -> None:
    asked = pressed(model, "down", "r")
    assert asked.question is not None
    assert asked.question.text == "make the 4 failed tasks of mail ready again?"
    assert press(asked, "y")[1] == Effect("retry", "mail")
    assert pressed(model, "r").message == "nothing has failed in img"


def test_a_failing_task_stands_for_its_queue_and_a_worker_for_none(model: Model) -> None:
    failing = pressed(model, "tab", "tab", "tab", "r")
    assert failing.question is not None
    assert "tasks of mail" in failing.question.text
    assert pressed(model, "tab", "p").message == "choose a queue first"


def test_q_quits_and_a_question_mark_explains(model: Model) -> None:
    assert press(model, "q")[1] == Effect("quit")
    assert pressed(model, "?").view == View("help")
    assert pressed(model, "?", "?").view == HOME
    assert press(pressed(model, "?"), "q")[1] == Effect("quit")


def test_a_master_that_is_away_is_noted_since_the_first_time_and_until_it_answers(model: Model) -> None:
    away = lost(lost(model, NOW), NOW + 5)
    assert away.lost_since == NOW
    assert looked(away, look()).lost_since is None


def test_only_so_many_rates_are_kept(model: Model) -> None:
    for number in range(HISTORY + 10):
        model = looked(model, look(rate=float(number)))
    assert len(model.rates) == HISTORY
    assert model.rates[-1] == HISTORY + 9


@pytest.mark.parametrize(("name", "pattern"), [("mail", "mail"), ("a[b]*", "a[[]b][*]")])
def test_a_queue_is_asked_for_by_its_exact_name(name: str, pattern: str) -> None:
    wanted: dict[str, Any] = {"queues": [pattern], "states": [11]}
    assert filter_of(name, states=[11]) == wanted
