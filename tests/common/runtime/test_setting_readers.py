"""How settings are read."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.indexes import Own
from tq.common.errors import InvalidArgument
from tq.common.runtime.setting_readers import READERS


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("autoscale", "2,8", (2, 8)),
        ("autoscale", [1, 4], (1, 4)),
        ("resources", "gpu=0,3,mem=5", {"gpu": Own(2_000, ("0", "3")), "mem": Own(5_000)}),
        ("resources", {"gpu": [0, 3]}, {"gpu": Own(2_000, ("0", "3"))}),
        ("preload", "numpy, torch", ("numpy", "torch")),
        ("watch", "true", True),
    ],
)
def test_a_setting_is_what_is_written(name: str, text: Any, value: Any) -> None:
    assert READERS[name](text) == value


@pytest.mark.parametrize(("name", "text"), [("autoscale", "5,2"), ("autoscale", "a"), ("resources", "gpu")])
def test_what_is_none_is_refused(name: str, text: str) -> None:
    with pytest.raises((ValueError, InvalidArgument)):
        READERS[name](text)
