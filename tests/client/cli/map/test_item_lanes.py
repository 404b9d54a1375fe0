"""The keys of items: what ``by=`` and ``--tenant`` name of them."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.cli.map.item_lanes import ItemLanes, host_of
from tq.client.tasks.options import choose
from tq.common.errors import InvalidArgument


def lanes(by: str, tenant: str | None = None) -> ItemLanes:
    return ItemLanes(choose({"limits": [tq.Limit("api", max_running=1, by=by)], "tenant": tenant}), "m:f")


@pytest.mark.parametrize(
    ("args", "kwargs", "by", "key"),
    [
        (("https://A.example:81/x",), {}, "{host}", "a.example"),
        (("no url",), {}, "{host}", ""),
        (("no url",), {}, "{item}", "no url"),
        ((), {"city": "Ulm", "name": "Anna"}, "{city}", "Ulm"),
        (({"city": "Ulm"},), {}, "in {city}", "in Ulm"),
        ((7,), {}, "{item}", "7"),
    ],
)
def test_an_item_has_names(args: Any, kwargs: dict[str, Any], by: str, key: str) -> None:
    assert lanes(by).of(args, kwargs) == (key,)


def test_items_of_one_call_say_their_keys_once() -> None:
    some = lanes("{host}", "{item}")
    keys = [some.of((text,), {}) for text in ("http://a/1", "http://b/2", "http://a/3")]
    columns = some.choice(keys).columns
    assert columns is not None
    assert columns.to_wire() == {
        "limits": [[{"name": "api", "max_running": 1}, [["a", "b"], [0, 1, 0]]]],
        "tenant": [["http://a/1", "http://b/2", "http://a/3"], [0, 1, 2]],
    }


def test_a_name_that_an_item_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(InvalidArgument, match=r"no \{city\} for --limit or --tenant; it has item, host"):
        lanes("{city}").of(("x",), {})


def test_what_is_the_same_for_all_items_is_not_computed() -> None:
    fixed = ItemLanes(choose({"tenant": "acme"}), "m:f")
    assert fixed.of(("x",), {}) == ()
    columns = fixed.choice([()]).columns
    assert columns is not None
    assert columns.to_wire() == {"tenant": "acme"}


def test_a_url_that_cannot_be_read_has_no_host() -> None:
    assert host_of("http://[::1") == ""
