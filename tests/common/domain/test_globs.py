"""Patterns from outside: what fnmatch makes of them, in a time that no pattern can make long."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.globs import Glob, fits_any, parts_of

from ...properties import examples

PARTS = ["*", "?", "a", "b", "[ab]", "[!a]", "[b-a]", "[!b-a]", "[]a]", "[", "]", "!", "-", "\n", "\\", "."]


@examples(300)
@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join), st.text("ab]![-\n\\.", max_size=8))
def test_a_pattern_fits_what_fnmatch_lets_it_fit(pattern: str, name: str) -> None:
    assert Glob(pattern).fits(name) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*" + "a" * 120 + "b*", "a" * 255),
        ("*a" * 127 + "b", "a" * 255),
        ("*[!x]" * 50 + "b*", "a" * 255),
        ("*" + "?" * 250 + "b*", "a" * 255),
        ("*" + "a" * 127 + "b" + "a" * 126 + "*", "a" * 1_000),
    ],
)
def test_no_pattern_takes_long_whatever_the_name(pattern: str, name: str) -> None:
    one = Glob(pattern)
    began = time.thread_time()
    for _ in range(100):
        assert not one.fits(name)
    assert time.thread_time() - began < 100 * 0.005


def test_a_pattern_that_fits_one_name_only_is_known() -> None:
    assert [Glob(one).is_name for one in ("mail", "", "mail*", "m?il", "[m]ail", "[mail")] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


def test_any_of_some_patterns() -> None:
    assert fits_any("gpu.1", ["mail", "gpu.*"])
    assert not fits_any("gpu", ["mail", "gpu.*"])
    assert not fits_any("gpu", [])


def test_a_pattern_is_taken_apart_as_fnmatch_does() -> None:
    assert parts_of("a*[!]b]?[c") == ["a", "*", "[!]b]", "?", "[", "c"]
