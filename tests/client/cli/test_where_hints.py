"""What can be written next in a filter that is being typed."""

from __future__ import annotations

import pytest
from tq.client.cli.where import split, to_filter
from tq.client.cli.where_hints import HINTS_MAX, hints

KNOWN = {
    "queue": ["mail", "img.large", "two words", "a,b"],
    "name": ["app:send", "app:resize"],
    "error": ["ValueError", "app.SMTPError"],
    "tag.order": ["4711", "4712"],
    "tenant": ["acme", "globex"],
    "worker": {"0a1b2c3d": "web-1"},
}


def texts(typed: str) -> list[str]:
    """For a cursor where ``|`` stands."""
    at = typed.index("|")
    return [one.text for one in hints(typed.replace("|", ""), at, KNOWN).hints]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("sta|", ["state="]),
        ("STA|", ["state="]),
        ("state=fai|", ["state=failed"]),
        ("state=failed,dea|", ["state=failed,dead"]),
        ("queue=mail sta|", ["state="]),
        ("queue=ma|", ["queue=mail"]),
        ("queue=large|", ["queue=img.large"]),
        ("queue=two|", ["queue='two words'"]),
        ("queue='two w|", ["queue='two words'"]),
        ("name~res|", ["name~app:resize"]),
        ("error=SMTP|", ["error=app.SMTPError"]),
        ("tag.|", ["tag.order="]),
        ("tag.order=4712|", []),
        ("tag.order=471|", ["tag.order=4711", "tag.order=4712"]),
        ("tenant=acme,glo|", ["tenant=acme,globex"]),
        ("tenan|", ["tenant=", "tenant~"]),
        ("worker=|", ["worker=0a1b2c3d"]),
        ("since=1|", ["since=1h", "since=1d", "since=10min"]),
        ("colour=|", []),
        ("state!=fa|", []),
        ("queue=a,|", ["queue=a,mail", "queue=a,img.large", "queue='a,two words'"]),
        ("queue=ma| state=failed", ["queue=mail"]),
        ("que|=mail", ["queue=", "queue~"]),
    ],
)
def test_what_fits_what_is_typed_is_offered(typed: str, expected: list[str]) -> None:
    assert sorted(texts(typed)) == sorted(expected)


def test_at_the_beginning_and_behind_a_blank_stand_the_words_that_are_not_there_yet() -> None:
    assert texts("|")[:3] == ["state=", "queue=", "name="]
    assert "queue=" not in texts("queue=mail |")
    assert "queue~" not in texts("queue=mail |"), "the same word twice is refused"
    assert texts("queue=mail |")[0] == "state="


def test_what_is_taken_replaces_the_word_and_is_a_filter() -> None:
    typed, at = "queue=two state=failed", 9
    found = hints(typed, at, KNOWN)
    taken = typed[: found.start] + found.hints[0].text + typed[found.stop :]
    assert taken == "queue='two words' state=failed"
    assert to_filter(split(taken), 0.0)["queues"] == ["two words"]


def test_so_many_are_offered_that_a_person_looks_them_through() -> None:
    many = {"queue": [f"q{number}" for number in range(1_000)]}
    assert len(hints("queue=q", 7, many).hints) == HINTS_MAX
    assert hints("queue=", 6, {"queue": ["x" * 1_000]}).hints == []


def test_a_value_says_what_a_person_calls_it() -> None:
    [found] = hints("worker=0a", 9, KNOWN).hints
    assert (found.text, found.meaning, found.is_whole) == ("worker=0a1b2c3d", "web-1", True)
