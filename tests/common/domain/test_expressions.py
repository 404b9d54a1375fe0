"""What an expression may say, and the text that it gives for the arguments of a task."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.expressions import KEY_BYTES_MAX, check_key, expression
from tq.common.errors import InvalidArgument


class Colour(enum.IntEnum):
    RED = 1


class Word(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    A = "a"


@pytest.mark.parametrize(
    ("text", "values", "key"),
    [
        ("{domain}", {"domain": "example.com"}, "example.com"),
        ("{host}:{port}", {"host": "h", "port": 25}, "h:25"),
        ("{a}{a}", {"a": "x"}, "xx"),
        ("{{{a}}}", {"a": "x"}, "{x}"),
        ("plain", {}, "plain"),
        ("{{}}", {}, "{}"),
        ("{a}", {"a": None}, "None"),
        ("{a}", {"a": True}, "True"),
        ("{a}", {"a": 1.5}, "1.5"),
        ("{a}", {"a": Colour.RED}, "1"),
        ("{a}", {"a": Word.A}, "a"),
        ("{a}", {"a": Decimal("1.50")}, "1.50"),
        ("{a}", {"a": UUID(int=1)}, "00000000-0000-0000-0000-000000000001"),
        ("{a}", {"a": "{b} %s {0.__class__}"}, "{b} %s {0.__class__}"),
        ("{größe}", {"größe": "ü"}, "ü"),
    ],
)
def test_an_expression_gives_the_values_of_parameters_and_its_literal_text(
    text: str, values: dict[str, Any], key: str
) -> None:
    assert expression("by", text).key("by", values) == key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{a.b}", "names no parameter"),
        ("{a[0]}", "names no parameter"),
        ("{a!r}", "names no parameter"),
        ("{a:>9}", "names no parameter"),
        ("{}", "at character 1 names no parameter"),
        ("{0}", "names no parameter"),
        ("x{", "the brace at character 2 has no other"),
        ("}", "write }} for a brace itself"),
        ("{a{b}}", "the brace at character 1 has no other"),
        ("", "1 to 255 printable"),
        ("a\nb", "printable"),
        ("x" * 256, "1 to 255"),
        (5, "by=5: an expression is text"),
        (None, "an expression is text"),
    ],
)
def test_what_the_grammar_does_not_have_is_refused_with_its_place(text: Any, why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        expression("by", text)
    assert why in str(refused.value)


def test_an_expression_is_judged_by_the_parameters_of_its_function() -> None:
    expression("by", "{url}/{domain}").check("by", ("url", "domain"), "fetch")
    with pytest.raises(
        InvalidArgument, match=r"fetch has no parameter 'domian' \(it has url, domain\); did you"
    ):
        expression("by", "{domian}").check("by", ("url", "domain"), "fetch")
    with pytest.raises(InvalidArgument, match="it has none"):
        expression("by", "{x}").check("by", (), "tick")


@pytest.mark.parametrize("value", [[1], {}, b"x", object(), (1,)])
def test_only_text_and_numbers_make_a_key(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"the argument 'a' is .* made of text and numbers"):
        expression("by", "{a}").key("by", {"a": value})


def test_an_argument_that_the_call_does_not_have_is_named() -> None:
    with pytest.raises(InvalidArgument, match="no argument 'a'; pass it by name, a="):
        expression("by", "{a}").key("by", {})


@pytest.mark.parametrize("value", ["x" * 257, "ü" * 129, 10**500, 10**5_000, "\ud800"], ids=range(5))
def test_a_key_that_cannot_travel_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument):
        expression("by", "{a}").key("by", {"a": value})


def test_a_key_has_at_most_its_bytes() -> None:
    assert check_key("by", "ü" * 128) == "ü" * 128
    with pytest.raises(InvalidArgument, match=r"the key 'x+'… has 257 bytes; at most 256"):
        check_key("by", "x" * (KEY_BYTES_MAX + 1))
    with pytest.raises(InvalidArgument, match="is text"):
        check_key("by", b"x")


@given(st.text(), st.text(max_size=20))
def test_any_text_is_an_expression_or_refused_and_values_are_never_looked_into(text: str, value: str) -> None:
    try:
        made = expression("by", text)
        key = made.key("by", dict.fromkeys(made.parameters, value))
    except InvalidArgument:
        return
    assert len(key.encode()) <= KEY_BYTES_MAX
    if not made.parameters:
        assert key == text.replace("{{", "{").replace("}}", "}")
