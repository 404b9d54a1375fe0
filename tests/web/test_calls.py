"""A call as lines that a person edits: what is hidden stays in the server, and comes back where it stood."""

from __future__ import annotations

import datetime

import pytest
from tq.common.errors import InvalidArgument
from tq.web.calls import EditedCall, as_code, call_of, lines_of

DAY = datetime.date(2026, 11, 29)
CALL = EditedCall(
    [7, {"to": "a", "password": "secret"}, DAY],
    {"token": "secret", "url": "redis://me:secret@host/0", "size": 2},
)


def edited(args: list[str], kwargs: list[str]) -> EditedCall:
    return call_of("\n".join(args), "\r\n".join(kwargs), CALL)


def test_no_secret_is_in_a_line_or_in_the_code() -> None:
    assert "secret" not in str(lines_of(CALL))
    assert "secret" not in as_code("jobs:send", CALL, {})


def test_lines_without_a_change_mean_the_same_call() -> None:
    assert edited(*lines_of(CALL)) == CALL


def test_what_is_shown_by_the_same_mark_stays_in_its_place_and_is_refused_in_another() -> None:
    call = EditedCall([DAY, DAY.replace(year=1999), 7], {})
    (first, second, number), _ = lines_of(call)
    assert first == second
    assert call_of("\n".join([first, second, "8"]), "", call).args == [*call.args[:2], 8]
    with pytest.raises(InvalidArgument, match="write what is meant"):
        call_of("\n".join([number, second, first]), "", call)


def test_what_is_too_long_for_a_form_stays_in_the_server() -> None:
    call = EditedCall(["w" * 1_048_576, [1] * 100_000, 10**6_000, {"text": "w" * 5_000, "size": 1}], {})
    args, _ = lines_of(call)
    assert sum(map(len, args)) < 300
    assert call_of("\n".join(args), "", call).args == call.args
    changed = [*args[:3], args[3].replace(": 1}", ": 2}")]
    assert call_of("\n".join(changed), "", call).args[3] == {"text": "w" * 5_000, "size": 2}


def test_a_number_that_python_writes_in_no_decimal_is_code_too() -> None:
    assert f"({hex(10**6_000)})" in as_code("jobs:send", EditedCall([10**6_000], {}), {})


def test_what_is_hidden_stays_where_something_else_of_a_line_was_changed() -> None:
    args, kwargs = lines_of(CALL)
    args[1] = args[1].replace('"a"', '"b"')
    assert edited(args, kwargs).args[1] == {"to": "b", "password": "secret"}


def test_a_line_that_has_moved_is_still_what_it_was() -> None:
    args, kwargs = lines_of(CALL)
    assert edited(args[::-1], kwargs[::-1]).args == CALL.args[::-1]


@pytest.mark.parametrize(
    "line", ['"[hidden]"', '{"password": "[hidden]"}', '"[as it was: date]"', '"redis://x:[hidden]@other"']
)
def test_a_mark_where_nothing_was_hidden_is_refused_and_never_sent_as_text(line: str) -> None:
    with pytest.raises(InvalidArgument, match="write what is meant"):
        call_of(line, "")


def test_a_mark_cannot_show_a_secret_under_another_name() -> None:
    args, _ = lines_of(CALL)
    args[1] = '{"to": "[hidden]"}'
    with pytest.raises(InvalidArgument, match="write what is meant"):
        edited(args, [])


@pytest.mark.parametrize("text", ["size", "2=3", "a b=1", "size=1\nsize=2", "size=[1"])
def test_a_keyword_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidArgument):
        call_of("", text)


def test_the_code_submits_the_same() -> None:
    text = as_code("jobs:send", EditedCall(["a", None], {"n": 1}), {"queue": "mail", "retries": 3})
    assert text.splitlines()[-1] == (
        "handle = app.named('jobs:send', queue='mail', retries=3).submit('a', None, n=1)"
    )
    compile(as_code("jobs:send", CALL, {}), "code", "exec")
