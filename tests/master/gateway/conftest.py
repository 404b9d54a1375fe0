"""A gateway for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .peers import GatewayHarness


@pytest.fixture
def harness(bench: Any) -> Iterator[GatewayHarness]:
    harness = GatewayHarness(bench)
    yield harness
    harness.close()
