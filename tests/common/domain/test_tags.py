"""Tags: bounded names with a short text each, equal whatever their order was."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import DEFAULT_OPTIONS, TaskOptions
from tq.common.domain.tags import TAGS_MAX, VALUE_BYTES_MAX, tags_in_words, tags_of
from tq.common.errors import InvalidArgument


def test_tags_travel_as_a_map_and_are_kept_sorted() -> None:
    options = TaskOptions.from_wire({"tags": {"shop": "3", "order": "4711"}})
    assert options.tags == (("order", "4711"), ("shop", "3"))
    assert options.to_wire() == {"tags": {"order": "4711", "shop": "3"}}
    assert options == TaskOptions(tags=tags_of({"order": "4711", "shop": "3"}))
    assert hash(options) == hash(TaskOptions.from_wire(options.to_wire()))
    assert tags_in_words(dict(options.tags)) == "order=4711 shop=3"


def test_options_without_tags_are_the_default_ones() -> None:
    assert TaskOptions.from_wire({"tags": {}}) == DEFAULT_OPTIONS
    assert TaskOptions.from_wire({"tags": {}}).to_wire() == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("order=4711", "tags are a dict of texts"),
        (None, "tags are a dict of texts"),
        ({"order": 4711}, "write a text: tags={'order': '4711'}"),
        ({"order": ""}, "is not a text of 1 to 256 bytes"),
        ({"order": "a\nb"}, "printable characters"),
        ({"order": "ä" * (VALUE_BYTES_MAX // 2 + 1)}, "is not a text of 1 to 256 bytes"),
        ({"order": "\ud800"}, "printable characters"),
        ({"": "x"}, "is not a name of a tag"),
        ({"my order": "x"}, "is not a name of a tag"),
        ({7: "x"}, "is not a name of a tag"),
        ({"x" * 65: "x"}, "up to 63 letters"),
        ({f"t{number}": "x" for number in range(TAGS_MAX + 1)}, "at most 16 tags, and here are 17"),
    ],
)
def test_bad_tags_are_refused_with_what_to_write(given: Any, words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        TaskOptions.from_wire({"tags": given})
    assert words in str(refused.value)
