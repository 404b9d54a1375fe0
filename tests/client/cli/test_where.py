"""The language of ``--where``: what it means, and what is said to a word it does not have."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.cli.where import age, split, to_filter
from tq.client.cli.where_words import FilterTerm, WrongFilter
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("", {}),
        ("state=failed", {"states": [StateNumber.FAILED]}),
        ("state=failed,dead", {"states": [StateNumber.FAILED, StateNumber.DEAD]}),
        ("queue=mail", {"queues": ["mail"]}),
        ("queue=img.*,mail", {"queues": ["img.*", "mail"]}),
        ("name=app:send", {"names": ["app:send"]}),
        ("name~send", {"names": ["*send*"]}),
        ("error=ValueError", {"errors": ["ValueError"]}),
        ("error~SMTP", {"text": "SMTP"}),
        ("error~'connection refused'", {"text": "connection refused"}),
        ("since=2h", {"since": NOW - 7_200}),
        ("older=7d", {"until": NOW - 7 * 86_400}),
        ("flow=0193", {"flow": "0193"}),
        ("tag.order=4711", {"tags": {"order": ["4711"]}}),
        ("tag.order=4711,47* tag.shop~x", {"tags": {"order": ["4711", "47*"], "shop": ["*x*"]}}),
        ("tenant=acme,glob* host=web-1", {"tenants": ["acme", "glob*"], "hosts": ["web-1"]}),
        ("host~web worker=0A1b,ff", {"hosts": ["*web*"], "workers": ["0a1b*", "ff*"]}),
        ("arg.customer=4711", {"tags": {"arg.customer": ["4711"]}}),
        ("arg.to~x tag.order=1", {"tags": {"arg.to": ["*x*"], "order": ["1"]}}),
        (
            "state=failed queue=mail error~SMTP since=2h",
            {"states": [StateNumber.FAILED], "queues": ["mail"], "text": "SMTP", "since": NOW - 7_200},
        ),
        ("error=ValueError error~limit", {"errors": ["ValueError"], "text": "limit"}),
    ],
)
def test_an_expression_is_a_filter(expression: str, meaning: dict[str, Any]) -> None:
    assert to_filter(split(expression), NOW) == meaning


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("stat=failed", "unknown field 'stat'; did you mean state?"),
        ("status=failed", "did you mean state?"),
        ("exception=X", "did you mean error?"),
        ("task=app:send", "did you mean name?"),
        ("tag=order", "did you mean tag.NAME?"),
        ("worker=web-1", "'web-1' is not the id of a worker, which has hexadecimal digits"),
        ("worker~0a", "worker has no ~; write worker="),
        ("node=0a1b", "did you mean worker?"),
        ("arg.=4711", "the name of an argument is missing; write arg.customer=4711"),
        ("argument=4711", "did you mean arg.NAME?"),
        ("arg.customer=1 arg.customer=2", "arg.customer is given twice"),
        ("tag.=4711", "'' is not a name of a tag"),
        ("tag.order=1 tag.order=2", "tag.order is given twice"),
        ("tag.order=", "a value is missing"),
        ("colour=red", "unknown field 'colour'; known are state, queue"),
        ("state=faild", "did you mean failed?"),
        ("state=asleep", "unknown state 'asleep'; one of: ready"),
        ("failed", "'failed' is not of the form word=value; did you mean state=failed?"),
        ("app:send", "did you mean name=app:send?"),
        ("lately", "'lately' is not of the form word=value; write e.g. state=failed"),
        ("state!=failed", "the signs are = and ~"),
        ("since>2h", "the signs are = and ~"),
        ("state~fail", "state has no ~; write state="),
        ("since~2h", "since has no ~; write since="),
        ("since=yesterday", "--since 'yesterday': write 30s, 10min, 2h or 7d"),
        ("older=1y", "--older '1y': write 30s"),
        ("queue=", "a value is missing"),
        ("error~'open", "close the quotation mark"),
        ("queue=a queue=b", "queue is given twice; several values go into one: queue=one,other"),
    ],
)
def test_a_wrong_expression_is_reported_with_what_would_be_right(expression: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        to_filter(split(expression), NOW)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10min", 600), ("10m", 600), ("1.5h", 5_400), ("7d", 604_800)]
)
def test_ages(text: str, seconds: float) -> None:
    assert age(text, "since") == seconds


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("queue=mail stat=failed", "stat"),
        ("queue=mail failed", "failed"),
        ("state=dead,faild queue=mail", "faild"),
        ("state=failed since=yesterday", "yesterday"),
        ("queue=a  queue=b", "queue=b"),
        ("queue=a since~2h", "since~2h"),
        ("tag.=1 queue=a", "tag.=1"),
        ("queue=a error~'open", "'open"),
        ("'stat'=failed", "stat"),
    ],
)
def test_a_wrong_expression_is_shown_with_the_place_that_is_wrong(expression: str, wrong: str) -> None:
    with pytest.raises(WrongFilter) as caught:
        to_filter(split(expression), NOW)
    place = caught.value.place
    assert place is not None
    assert expression[place.start : place.stop] == wrong
    _, shown, carets = str(caught.value).splitlines()
    assert shown[carets.index("^") : carets.rindex("^") + 1] == wrong


def test_what_is_wrong_in_a_short_form_has_no_place_in_an_expression() -> None:
    with pytest.raises(WrongFilter, match="did you mean failed") as caught:
        to_filter([FilterTerm("state", "=", "faild")], NOW)
    assert caught.value.place is None
    assert "\n" not in str(caught.value)
