"""What an App has for flows."""

from __future__ import annotations

import pytest
import tq


@pytest.fixture
def app() -> tq.App:
    return tq.App("tq://127.0.0.1:1", "secret")


def test_outside_of_a_task_there_is_no_current_flow(app: tq.App) -> None:
    assert app.current_flow() is None
