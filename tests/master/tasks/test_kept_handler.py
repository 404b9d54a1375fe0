"""What a lane says of the handler of its tasks."""

from __future__ import annotations

from tq.common.domain.columns import FailureHandler, LaneColumns
from tq.common.domain.limits import Limit
from tq.common.domain.model import TaskOptions
from tq.common.domain.text_columns import TextColumn
from tq.master.tasks.kept_handler import KeptHandler


def test_a_handler_is_the_same_after_it_was_kept() -> None:
    columns = LaneColumns(((Limit("pager", max_running=1), TextColumn(("",))),), TextColumn(("ops",)))
    kept = KeptHandler(
        "k1", FailureHandler("alarms", "m:f", TaskOptions(priority=3, tags={"a": "b"}), columns)
    )
    assert KeptHandler.unpacked(kept.packed()) == kept
    assert kept._replace(key="k2").packed() != kept.packed(), "tasks of two keys have handlers of their own"
