"""Programs that declare limits, and an operator who changes them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.master.limits.limits import NamedLimits

from ..conftest import Bench, Peer

LIMITS = "get_limits"
THREE, FIVE = Limit("smtp", max_running=3, rate="100/min"), Limit("smtp", max_running=5)


class Declaring:
    """Programs that declare limits, and an operator."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.admin = bench, bench.client((), Role.ADMIN)
        self.notified: list[str] = []
        self.part.listen(self.notified.append)

    @property
    def part(self) -> NamedLimits:
        return self.bench.engine.part(NamedLimits)

    def declare(self, peer: Peer, limit: Limit) -> None:
        store = self.bench.engine.store
        store.begin()
        try:
            self.part.declare(limit, peer.session)
        finally:
            store.commit()

    def holds(self, name: str = "smtp") -> Limit | None:
        return self.part.in_force(name)

    def call(self, method: str, *args: Any) -> Any:
        return self.admin.call(LIMITS, method, *args)

    def only(self) -> dict[str, Any]:
        [row] = self.call("list")
        return dict(row)

    def logged(self) -> list[str]:
        return [action for action, _ in self.bench.reports if action.startswith("limit.")]


@pytest.fixture
def declaring(bench: Bench) -> Declaring:
    return Declaring(bench)
