"""``tq show``: what it makes of a task for people and for programs."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.cli.show import _decoded, _failure, value_in_words
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

LOGIN = {
    "user": "anne",
    "password": "hunter2",
    "url": "https://anne:hunter2@host/",
    "more": [{"api_key": "hunter2"}],
}


@pytest.mark.parametrize("show", [value_in_words, _decoded])
def test_a_result_hides_what_an_argument_of_that_name_would_hide(show: Any) -> None:
    shown = str(show(encode(LOGIN)))
    assert "hunter2" not in shown
    assert "anne" in shown


def test_what_a_failure_shows_hides_secrets() -> None:
    shown = str(_failure(Failure("E", "bad", "", dict(LOGIN)).encode()))
    assert "hunter2" not in shown
    assert "anne" in shown


def test_arguments_of_an_exception_that_are_no_plain_text_are_not_shown_as_bytes() -> None:
    body = Failure.of(ValueError({"password": "hunter2"}, 1)).encode()
    assert "packed_args" in Failure.decode(body).detail
    assert _failure(body)["detail"] == {}
