"""The statuses with which commands end never change: scripts rely on them."""

from __future__ import annotations

import pytest
import tq
from tq.client.cli.failing import exit_status
from tq.common.errors import ConfigError, Rejected, UnknownObject


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (tq.TaskError("it failed"), 1),
        (RuntimeError("a fault of ours"), 1),
        (tq.InvalidArgument("no such option"), 2),
        (ConfigError("no such file"), 2),
        (UnknownObject("no such object"), 2),
        (tq.Unreachable("no master answers"), 3),
        (Rejected("the key is unknown"), 4),
        (tq.Forbidden("the key may not do that"), 4),
        (tq.UnknownTask("no such task"), 5),
        (TimeoutError(), 6),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_kind_of_failure_has_its_status(error: BaseException, status: int) -> None:
    assert exit_status(error) == status
