"""CommandPrinter with places: what an item becomes in them, and that it never becomes more than a word."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.map.template import Template
from tq.common.errors import InvalidArgument


def filled(template: str, item: str, number: int = 7, *, for_shell: bool = False) -> list[str | bytes]:
    return Template([template], for_shell=for_shell).fill(item, number)


@pytest.mark.parametrize(
    ("place", "item", "expected"),
    [
        ("{}", "d/a.tar.gz", "d/a.tar.gz"),
        ("{.}", "d/a.tar.gz", "d/a.tar"),
        ("{/}", "d/a.tar.gz", "a.tar.gz"),
        ("{//}", "d/a.tar.gz", "d"),
        ("{/.}", "d/a.tar.gz", "a.tar"),
        ("{#}", "d/a.tar.gz", "7"),
        ("{.}", "d.e/a", "d.e/a"),
        ("{.}", "d/.hidden", "d/.hidden"),
        ("{//}", "a", "."),
        ("{//}", "/a", "/"),
        ("{/}", "d/", ""),
        ("{x}", "a", "{x}"),
        ("{.}.png:{#}", "a b.svg", "a b.png:7"),
    ],
)
def test_places(place: str, item: str, expected: str) -> None:
    assert Template(["do", place, "{}"], for_shell=False).fill(item, 7) == ["do", expected, item]


def test_one_word_is_taken_apart_and_several_are_not() -> None:
    assert filled("cp '{}' \"to here/{/}\"", "a b") == ["cp", "a b", "to here/a b"]
    assert Template(["cp", "{}", "to here/"], for_shell=False).fill("x", 1) == ["cp", "x", "to here/"]


def test_without_a_place_the_item_goes_behind() -> None:
    assert filled("gzip -k", "a b") == ["gzip", "-k", "a b"]
    assert filled("gzip -k", "a b", for_shell=True) == [
        "/bin/sh",
        "-c",
        '_tq_1=${1}; gzip -k "${_tq_1}"',
        "/bin/sh",
        "a b",
    ]


@pytest.mark.parametrize("template", ["", "  ", "'open"])
def test_what_is_no_command_is_reported(template: str) -> None:
    with pytest.raises(InvalidArgument, match="command"):
        Template([template], for_shell=False)


def test_an_option_behind_a_command_of_one_word_is_reported() -> None:
    with pytest.raises(InvalidArgument, match="stand before it"):
        Template(["wc -w {}", "--tag"], for_shell=False)


def test_a_name_that_is_not_text_travels_as_bytes() -> None:
    assert filled("cat {} {#}", "b\udcff") == ["cat", b"b\xff", "7"]


def test_a_zero_byte_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="zero byte"):
        filled("cat", "a\0b")


@given(st.text().filter(lambda item: "\0" not in item and item.isprintable() | ("\n" in item)))
def test_an_item_stays_one_word(item: str) -> None:
    assert filled("do {} {}", item) == ["do", item, item]
    assert filled("say x{} {}", item, for_shell=True)[-1] == item


@pytest.mark.parametrize(
    "item", ["; exit 9", "$(exit 9)", "`exit 9`", "'; exit 9 #", "a\nexit 9", "-n", "*", "~"]
)
def test_a_shell_sees_an_item_as_it_is(item: str) -> None:
    words = filled("printf %s {}", item, for_shell=True)
    done = subprocess.run(words, capture_output=True, check=True, timeout=20)
    assert done.stdout.decode() == item
