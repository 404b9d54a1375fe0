"""What a handle asks about its task: what it was submitted with."""

from __future__ import annotations

from typing import Any, cast

from tq.client.tasks.handle import Handle
from tq.common.values.codec import encode_call

ID = b"t" * 16


class OneTask:
    def call(self, target: Any, method: str, id: bytes) -> dict[str, Any]:
        assert (target, method, id) == (("get_tasks",), "show", ID)
        return {"payload": encode_call((1, [2]), {"deep": {"x": None}}, ())}


def test_the_arguments_are_what_was_submitted() -> None:
    assert Handle(cast(Any, OneTask()), ID).arguments == ([1, [2]], {"deep": {"x": None}})
