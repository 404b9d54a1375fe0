"""What the form of a task is filled with, and its submit as Python."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode_call
from tq.web.views.submit import _filled, call_of_row, code_of, options_of

ROW: dict[str, Any] = {
    "name": "jobs:send",
    "queue": "mail",
    "priority": 0,
    "retries": 3,
    "timeout": 1.5,
    "tags": {"order": "4711"},
    "payload": encode_call(("a",), {"token": "x"}),
}


def test_only_what_differs_from_the_usual_is_said() -> None:
    assert options_of(ROW) == {"retries": 3, "timeout": 1.5}


def test_the_code_has_the_queue_the_options_and_the_tags_and_no_secret() -> None:
    assert code_of(ROW).splitlines()[-1] == (
        "handle = app.named('jobs:send', queue='mail', retries=3, timeout=1.5, tags={'order': '4711'}).submit('a', token=...)"
    )


def test_the_code_has_the_terms_that_a_row_says_with_a_deadline_from_the_submit_on() -> None:
    terms = {"tenant": "a{b", "needs": {"gpu": 0.5}, "where": "zone=eu", "deadline": 1_060.0, "limits": []}
    code = code_of({**ROW, "tags": {}, "retries": 0, "timeout": None, "created": 1_000.0, "terms": terms})
    assert code.splitlines()[-1] == (
        "handle = app.named('jobs:send', queue='mail', tenant='a{{b', needs={'gpu': 0.5}, where='zone=eu', deadline=60.0)"
        ".submit('a', token=...)"
    )


def test_arguments_that_cannot_be_read_are_an_error_in_words() -> None:
    with pytest.raises(InvalidArgument, match="cannot be read here"):
        call_of_row({**ROW, "payload": b"\xc1"})


def test_a_form_does_not_take_over_what_an_argument_was_before_it_is_edited() -> None:
    row = {**ROW, "tags": {"arg.customer": "4711", "order": "7"}}
    assert _filled(row)["tags"] == "order=7"
