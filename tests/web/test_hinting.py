"""What a filter that is being typed can go on with: read once in a while, judged at every key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.domain.strikes import parse_strike
from tq.web import hinting
from tq.web.hinting import comparisons, hinted

KNOWN = {"queue": ["mail", "müll"], "error": ["ValueError"]}


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Any:
    login: Any = SimpleNamespace(app=None, asked=[])
    login.recent = lambda name, seconds, ask: login.asked.append((name, seconds)) or ask()
    monkeypatch.setattr(hinting, "_read", lambda app: KNOWN)
    return login


def test_all_that_is_typed_in_a_while_is_served_by_one_look_at_the_master(login: Any) -> None:
    for at in range(len("queue=mail")):
        hinted(login, "queue=mail"[:at], at)
    assert set(login.asked) == {("filters", hinting.KNOWN_SECONDS)}


def test_hints_say_what_they_replace(login: Any) -> None:
    found = hinted(login, "state=failed queue=m", 20)
    assert (found["start"], found["stop"]) == (13, 20)
    assert [one["text"] for one in found["hints"]] == ["queue=mail", "queue=müll"]
    assert found["wrong"] is None


@pytest.mark.parametrize(
    ("text", "at", "wrong"),
    [
        ("stat=failed ", 12, "stat"),
        ("state=faild queue=", 18, "faild"),
        ("stat", 4, None),
        ("queue=", 6, None),
        ("error~'refus", 12, None),
        ("queue=a", 7, None),
    ],
)
def test_a_word_that_is_finished_and_wrong_is_pointed_at_and_the_one_being_typed_is_not(
    login: Any, text: str, at: int, wrong: str | None
) -> None:
    found = hinted(login, text, at)["wrong"]
    assert wrong == (None if found is None else text[found["start"] : found["stop"]])


def test_what_tasks_of_maps_are_found_by_is_offered_as_their_tags_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [
        {"queue": "q", "name": "m:f", "tags": {"arg.customer": "ann", "shop": "north"}},
        {"queue": "q", "name": "m:f", "tags": {}, "index": {"arg.customer": ["ben", "ann"]}},
    ]
    reader = SimpleNamespace(read=lambda most, seconds: lines)
    monkeypatch.setattr(hinting, "LineReader", lambda *args: reader)
    monkeypatch.setattr(hinting, "causes", lambda app: [])
    known = hinting._read(_app())
    assert known["arg.customer"] == ["ann", "ben"]
    assert known["tag.shop"] == ["north"]


def test_tenants_hosts_and_workers_are_offered_and_connected_ones_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hinting, "LineReader", lambda *args: SimpleNamespace(read=lambda most, seconds: []))
    monkeypatch.setattr(hinting, "causes", lambda app: [])
    workers = [
        {"node": "aa" * 16, "host": "gone", "connected": False, "last_seen": 9.0},
        {"node": "bb" * 16, "host": "web-1", "connected": True, "last_seen": 5.0},
    ]
    login: Any = SimpleNamespace(app=_app(get_tenants=[{"name": ""}, {"name": "acme"}], get_workers=workers))
    login.recent = lambda name, seconds, ask: ask()
    offered = {word: hinted(login, word, len(word))["hints"] for word in ("tenant=", "host=", "worker=")}
    assert [one["text"] for one in offered["tenant="]] == ["tenant=acme"]
    assert [one["text"] for one in offered["host="]] == ["host=web-1", "host=gone"]
    assert [(one["text"], one["meaning"]) for one in offered["worker="]] == [
        ("worker=bbbbbbbb", "web-1"),
        ("worker=aaaaaaaa", "gone"),
    ]


def test_a_strike_is_offered_what_it_can_be_on_as_it_is_written(
    login: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {
        "name": ["m:f", "m:'g"],
        "queue": ["two words"],
        "tenant": ["acme"],
        "host": ["web-1"],
        "arg.customer": ["ann", "ben@b.example"],
        "tag.shop": ["north"],
    }
    monkeypatch.setattr(hinting, "_read", lambda app: known)
    login.app = _app(get_limits=[{"name": "smtp"}])
    offered = comparisons(login)
    of_tasks = ["arg.customer=ann", "arg.customer='ben@b.example'", "tag.shop=north"]
    assert offered == ["task=m:f", "queue='two words'", "tenant=acme", *of_tasks, "limit.smtp="]
    for one in offered[:-1]:
        assert str(parse_strike(one)) == one


def _app(**listed: list[dict[str, Any]]) -> Any:
    """What a master answers."""
    answers = {"get_master": {"queues": []}, "get_tenants": [], "get_workers": [], **listed}
    return SimpleNamespace(call=lambda subject, *args: answers[subject[0]])
