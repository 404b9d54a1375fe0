"""``tq audit``: pages are read one after the other, and a row is one line."""

from __future__ import annotations

from typing import Any

from tq.client.cli import audit
from tq.client.cli.audit import _cells, for_programs, read
from tq.common.contract.audit import AuditRow

ROW = AuditRow(7, 1_000.0, 1_060.0, "ab12", "10.0.0.7:4242", bytes(16), "get_tasks.retry_where", "retried tasks",
               "queue=mail state=failed", 3, 1_204)  # fmt: skip


class Master:
    """With so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows, self.asked = rows, list[tuple[Any, ...]]()

    def call(self, target: Any, method: str, *given: Any) -> list[list[Any]]:
        most, before, *_ = given
        self.asked.append(given)
        first = self.rows if before is None else before - 1
        return [list(ROW._replace(number=number)) for number in range(first, max(0, first - most), -1)]


def test_a_row_is_a_line_with_what_was_done_to_what_and_how_many() -> None:
    when, key, place, what, reached, calls = _cells(ROW)
    assert str(when).startswith("1970-01-01 ")
    assert (key, place, what) == ("ab12", "10.0.0.7:4242 00000000", "retried tasks queue=mail state=failed")
    assert (reached, calls) == ("1,204", "3")
    assert _cells(ROW._replace(reached=None, target=""))[3:5] == ("retried tasks", "")


def test_programs_get_times_in_utc_and_the_whole_node() -> None:
    row = for_programs(ROW)
    assert (row["at"], row["node"]) == ("1970-01-01T00:16:40.000+00:00", "00" * 16)


def test_pages_follow_one_another_until_there_are_enough_or_no_more(monkeypatch: Any) -> None:
    monkeypatch.setattr(audit, "PAGE", 4)
    master: Any = Master(9)
    assert [row.number for row in read(master, 6, 5.0, "ab12")] == [9, 8, 7, 6, 5, 4]
    assert master.asked == [(4, None, 5.0, "ab12"), (2, 6, 5.0, "ab12")]
    assert [row.number for row in read(Master(9), 100)] == [9, 8, 7, 6, 5, 4, 3, 2, 1]  # type: ignore[arg-type]
    assert read(Master(0), 100) == []  # type: ignore[arg-type]
