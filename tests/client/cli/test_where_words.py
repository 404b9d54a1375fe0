"""The words of a filter and their places: as a shell takes them apart, and as a person is shown them."""

from __future__ import annotations

import random
import shlex

import pytest
from tq.client.cli.where_words import FilterPlace, FilterTerm, WrongFilter, drawn, words_of


def test_words_are_those_of_a_shell_and_stand_where_they_are_said_to_stand() -> None:
    chance = random.Random(15)  # noqa: S311
    compared = 0
    for _ in range(3_000):
        text = "".join(chance.choices("ab=~, '\"\\\n", k=chance.randrange(12)))
        try:
            known = shlex.split(text)
        except ValueError:
            continue
        words = list(words_of(text))
        assert [word.text for word in words] == known, text
        for word in words:
            assert shlex.split(text[word.place.start : word.place.stop]) == [word.text], text
        compared += 1
    assert compared > 1_000


def test_a_quotation_mark_without_an_end_is_pointed_at() -> None:
    with pytest.raises(WrongFilter, match="close the quotation mark") as caught:
        list(words_of("queue=mail error~'it was"))
    assert caught.value.place == FilterPlace("queue=mail error~'it was", 17, 24)


def test_what_is_being_typed_may_have_an_open_quotation_mark() -> None:
    refused: list[str] = []
    words = list(words_of("queue=a error~'it was", lambda reason, place: refused.append(reason)))
    assert [word.text for word in words] == ["queue=a", "error~it was"]
    assert len(refused) == 1


def test_the_caret_stands_below_wide_characters_and_none_of_them_ends_the_line() -> None:
    text = "queue=\u90f5\u4fbf\x1b[31m stat=x"
    shown, carets = drawn(FilterPlace(text, text.index("stat"), text.index("=x"))).splitlines()
    assert shown == "  queue=\u90f5\u4fbf?[31m stat=x"
    assert carets == "  " + " " * (6 + 4 + 6) + "^^^^"


def test_of_a_long_filter_the_part_around_the_place_is_shown() -> None:
    text = "queue=" + "a" * 500 + " stat=x name=" + "b" * 500
    shown, carets = drawn(FilterPlace(text, 507, 511)).splitlines()
    assert len(shown) < 82
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "stat"
    assert shown.strip().startswith("…")
    assert shown.endswith("…")


def test_a_value_has_a_place_of_its_own() -> None:
    place = FilterPlace("state=failed,x", 0, 14)
    assert FilterTerm("state", "=", "failed,x", place).value_place == FilterPlace("state=failed,x", 6, 14)
    quoted = FilterTerm("state", "=", "x", FilterPlace("'state=x'", 0, 9))
    assert quoted.value_place == quoted.place
