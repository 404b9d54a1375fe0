"""A gateway for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .peers import Door


@pytest.fixture
def door(bench: Any) -> Iterator[Door]:
    door = Door(bench)
    yield door
    door.close()
