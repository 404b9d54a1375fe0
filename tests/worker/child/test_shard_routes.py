"""How the calls of a child name their shard."""

from __future__ import annotations

from tq.worker.child.shard_routes import at_shard, of_task


def test_shard_0_and_no_task_are_not_named() -> None:
    assert at_shard(0, ("get_tasks",)) == ("get_tasks",)
    assert of_task(None, ("get_blobs",)) == ("get_blobs",)


def test_a_shard_and_a_task_stand_in_front() -> None:
    assert at_shard(3, ("get_task_queue", "q")) == ("at_shard", 3, "get_task_queue", "q")
    assert of_task(b"i" * 16, ("get_steps",)) == ("of_task", b"i" * 16, "get_steps")
