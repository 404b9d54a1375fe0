"""Failures by callable and type."""

from __future__ import annotations

from typing import Any

from tq.web.views.failures import UNREAD, frame_of, grouped


def failed(name: str, error: str | None, at: float = 1.0, queue: str = "mail") -> dict[str, Any]:
    return {"id": bytes(16), "name": name, "error": error, "finished": at, "created": 0.0, "queue": queue}


def test_the_largest_group_comes_first_with_its_words_and_times() -> None:
    tasks = [
        failed("jobs:b", "OSError: full", 9.0),
        failed("jobs:a", "ValueError: 1", 3.0),
        failed("jobs:a", "ValueError: 1", 2.0, "other"),
        failed("jobs:a", "ValueError: 2", 1.0),
    ]
    first, second = grouped(tasks)
    assert (first.name, first.kind, first.tasks, first.first, first.last) == (
        "jobs:a",
        "ValueError",
        3,
        1.0,
        3.0,
    )
    assert first.messages.most_common(1) == [("1", 2)]
    assert set(first.queues) == {"mail", "other"}
    assert second.where == "state=failed,dead,lost name=jobs:b error=OSError"


def test_errors_that_were_not_read_are_a_group_that_is_not_filtered_by_type() -> None:
    [group] = grouped([failed("jobs:a", None)])
    assert group.kind == UNREAD
    assert "error=" not in group.where


def test_names_with_signs_of_a_glob_or_a_shell_mean_themselves() -> None:
    [group] = grouped([failed("jobs:*'x", "E: y")])
    assert "jobs:[*]" in group.where


def test_the_frame_is_the_innermost_one_and_none_where_there_is_no_traceback() -> None:
    text = 'Traceback:\n  File "/srv/jobs.py", line 3, in outer\n    inner()\n  File "/srv/lib/db.py", line 12, in ask\n    raise X'
    assert frame_of(text) == "ask, db.py:12"
    assert frame_of("no words") == ""
