"""Old flows are deleted."""

from __future__ import annotations

import pytest
from tq.common.errors import InvalidArgument
from tq.master.flows import retention

from .conftest import FLOW, FLOWS, Flowing


def test_old_flows_are_deleted_with_the_results_of_their_tasks(
    flowing: Flowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FORGOTTEN_MAX", 2)
    flowing.open()
    for _ in range(5):
        flowing.submit()
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.finish(flowing.worker())
    flowing.pass_time(6 * 24 * 3600)
    assert flowing.counts()[0] == "succeeded"
    flowing.pass_time(2 * 24 * 3600)
    with pytest.raises(InvalidArgument, match="there is no flow 66666666"):
        flowing.show()
    assert flowing.bench.engine.store.flows.members(1, 0, 10) == []
