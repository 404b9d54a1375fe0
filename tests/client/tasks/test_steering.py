"""What an operator's program sets is asked of the master in the words of its contract."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tq.client.tasks.steering import SteeringApp
from tq.common.errors import InvalidArgument


class Recorded:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def call(self, target: Any, method: str, *arguments: Any) -> None:
        self.calls.append((target[0], method, *arguments))


class Steering(SteeringApp):
    def __init__(self) -> None:
        self.recorded = Recorded()
        self.session = self.recorded  # type: ignore[assignment]


def test_what_is_named_is_set_and_nothing_else() -> None:
    app = Steering()
    app.set_queue("crawl", maxsize=5)
    app.set_queue("crawl", aging=timedelta(minutes=1))
    app.set_tenant("acme", weight=3)
    app.set_tenant("acme", max_running=None)
    app.forget_tenant("acme")
    app.set_limit("smtp", rate=None, burst=2)
    app.reset_limit("smtp")
    assert app.recorded.calls == [
        ("get_queues", "set", "crawl", 5),
        ("get_queues", "set", "crawl", None, None, 60.0),
        ("get_tenants", "set", "acme", {"weight": 3}),
        ("get_tenants", "set", "acme", {"max_running": None}),
        ("get_tenants", "remove", "acme"),
        ("get_limits", "set", "smtp", {"rate": None, "burst": 2}),
        ("get_limits", "reset", "smtp"),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "changes must be a map of weight, max_running or shards_of"),
        ({"wieght": 3}, "can be set, not 'wieght'"),
        ({"weight": 0}, "from 1 to 1,000, not 0"),
    ],
)
def test_what_cannot_be_set_for_a_tenant_is_refused_before_it_is_sent(
    changes: dict[str, Any], words: str
) -> None:
    app = Steering()
    with pytest.raises(InvalidArgument, match=words):
        app.set_tenant("acme", **changes)
    with pytest.raises(InvalidArgument, match="name a tenant"):
        app.set_tenant("", weight=1)
    assert app.recorded.calls == []
