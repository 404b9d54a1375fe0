"""The variable by which libraries know which GPUs are theirs."""

from __future__ import annotations

import os

import pytest
from tq.common.domain.indexes import GPU_VARIABLE
from tq.worker.child.shown_gpus import shown_gpus


@pytest.mark.parametrize("before", [None, "7"])
def test_it_is_set_while_a_task_has_some_and_is_as_before_whatever_the_task_does(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GPU_VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(GPU_VARIABLE, before)
    with shown_gpus({"gpu": ["1", "3"]}):
        assert os.environ[GPU_VARIABLE] == "1,3"
        os.environ[GPU_VARIABLE] = "what the task wrote"
    assert os.environ.get(GPU_VARIABLE) == before
    with pytest.raises(ValueError, match="its own"), shown_gpus({"gpu": ["1"]}):
        raise ValueError("its own")
    assert os.environ.get(GPU_VARIABLE) == before
    for none in (None, {"port": ["a"]}):
        with shown_gpus(none):
            assert os.environ.get(GPU_VARIABLE) == before
