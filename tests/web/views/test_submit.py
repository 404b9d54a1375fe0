"""What the form of a task is filled with, and its submit as Python."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.errors import InvalidArgument, TaskConflict
from tq.common.values.codec import encode_call
from tq.web.page import ViewRequest
from tq.web.views.submit import _filled, call_of_row, code_of, options_of, send

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


class App:
    """Keeps what was submitted by its key, as a master does."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Any, ...]] = {}

    def named(self, name: str, **options: Any) -> App:
        return self

    def using(self, *, key: str) -> App:
        self.key = key
        return self

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        if self.kept.setdefault(self.key, args) != args:
            raise TaskConflict("a task with this key exists, with other arguments")
        return SimpleNamespace(id=self.key)


def test_a_form_that_comes_twice_is_one_task_and_an_edited_one_is_refused_with_the_reason() -> None:
    login: Any = SimpleNamespace(app=App(), draft={}, may=lambda role: True)
    form = {"name": "jobs:send", "args": "7", "kwargs": "", "once": "a" * 22}
    first, second = (send(login, ViewRequest(path={}, query=form)).to for _ in range(2))
    assert first == second == f"/tasks/tq.page:{'a' * 22}"
    with pytest.raises(InvalidArgument, match="sent already, with other contents"):
        send(login, ViewRequest(path={}, query={**form, "args": "8"}))
    assert "once" not in login.draft, "what is shown now is a form of its own"
    assert login.draft["args"] == "8"
    for once in ("", "a b c d e f g h i", "a" * 65):
        with pytest.raises(InvalidArgument, match="load it again"):
            send(login, ViewRequest(path={}, query={**form, "once": once}))
    assert len(login.app.kept) == 1
