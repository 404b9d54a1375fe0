"""What the log says of lost connections: once when the first is lost, once when all are back."""

from __future__ import annotations

import pytest
from tq.client.core.outage import Outage


def test_an_outage_is_said_once_and_that_it_is_over_when_the_last_line_has_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "tq.client")
    outage = Outage()
    for _ in range(3):  # a master that admits and closes again
        outage.lost("shard 0", "the master closed the connection")
        outage.lost("shard 1", "the connection broke")
    assert [record.getMessage() for record in caplog.records] == [
        "the master closed the connection; open calls continue as soon as there is a connection again"
    ]
    outage.back("shard 0")
    outage.back("shard 2")
    assert len(caplog.records) == 1
    outage.back("shard 1")
    outage.back("shard 1")
    assert [record.getMessage() for record in caplog.records[1:]] == ["connected again"]
    outage.lost("shard 1", "it is gone")
    assert len(caplog.records) == 3
