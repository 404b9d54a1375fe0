"""``tq queues peek``: what a person sees of the first items of a queue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tq.client.app import App
from tq.client.cli.peeking import in_words, peeked
from tq.common.values.codec import encode


def rows(*items: list[Any]) -> list[dict[str, Any]]:
    return peeked(cast(App, SimpleNamespace(call=lambda target, method, most: list(items)[:most])), "q", 2)


def test_secrets_are_hidden_and_what_cannot_be_shown_has_a_reason() -> None:
    [first, large] = rows([5, encode({"token": "t0p", "to": "ann"})], [300_000, None], [1, b"\x01"])
    assert first["item"] == {"token": "[hidden]", "to": "ann"}
    assert "t0p" not in in_words(first)
    assert in_words(large) == "<too large to show>"
    [broken] = rows([3, b"\xc1"])
    assert broken["item"] is None
    assert in_words(broken).startswith("<")
