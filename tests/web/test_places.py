"""Places in a list, as addresses have them."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.web.places import place_of, text_of


@pytest.mark.parametrize("place", [0, 1204, [[7], None, [None]], [None, [2**62]]])
def test_a_place_comes_back_as_it_was(place: Any) -> None:
    assert place_of(text_of(place)) == place


@pytest.mark.parametrize("text", ["", "x", "-1", "²", "s", "s{}", "s7", "s[", "s" + "[" * 100_000])
def test_what_is_no_place_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(tq.InvalidArgument, match="start from its beginning"):
        place_of(text)
