"""How SQLite finds what a statement asks for: by an index, whatever the table holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from tq.master.store.sqlite.store import SqliteStore

# All that is run while a master serves, but for what is asked for seldom and looks at one row or all of a small table.
SEARCHED: Final = {
    "tasks": (
        "ready_heads",
        "lease_route",
        "succeed",
        "succeed_one",
        "end_attempt",
        "return_unstarted",
        "cancel_waiting",
        "revive",
        "promote",
        "expire",
        "promote_due",
        "promote_at",
        "next_at",
        "next_due",
        "overdue",
        "next_expiry",
    ),
    "queries": ("find", "outcome", "created", "brief", "count_ahead"),
    "lines": (
        "arrays_before",
        "arrays_down",
        "arrays_up",
        "rows_before",
        "rows_down",
        "rows_up",
        "spans_alone",
        "spans_together",
        "unsuccessful_alone",
        "unsuccessful_together",
        "failed_between",
        "bounds_of_flow",
    ),
    "slices": (
        "array_upto_id",
        "array_of",
        "array_payloads",
        "any_id_between",
        "slice_upto",
        "slices_before",
        "slices_of_state_before",
        "slice_results",
        "ready_slices",
        "split_slice",
        "shorten_slice",
        "copy_slice",
        "copy_pieces",
        "succeed_pieces",
        "leased_pieces",
        "shorten_leased",
        "results_size",
        "cancel_slice",
        "expire_slice",
        "lease_slice",
        "lease_piece",
        "succeed_slice",
        "succeed_piece",
        "leased_behind",
        "leased_before",
        "promote_slice",
        "return_slice",
        "delete_slice",
        "slices_due",
        "slices_due_at",
        "next_due_slice",
        "next_at_slice",
        "slices_overdue",
        "next_slice_expiry",
        "slices_ahead",
        "oldest_ready_slice",
    ),
    "items": (
        "first_item",
        "held_item",
        "hold_item",
        "delete_item",
        "release_item",
        "rank_before",
        "rank_after",
    ),
    "locks": ("set_primitive", "drop_primitive", "drop_claims", "end_claim", "delete_claim"),
    "blobs": ("find_blob", "put_blob", "keep_blob", "name_blob", "collect_blobs", "unname_blobs"),
    "retention": (
        "finished_before",
        "slices_finished_before",
        "delete_attempts",
        "delete",
        "kept_besides",
        "forget_between",
        "forget_logs_between",
        "unname_blobs_between",
        "array_upto",
        "drop_array",
    ),
    "counts": ("add_counts", "measure"),
    "ended": (
        "ended_alone",
        "ended_alone_kept",
        "ended_together",
        "ended_together_kept",
        "ended_attempts",
        "worker_of",
    ),
    "attempt_output": ("observe", "progress", "logs", "delete_logs"),
}
FIRST_ROW: Final = ("any_blob", "any_blob_named")  # one row, whichever comes first
AT_THE_START: Final = (
    "running",
    "count_ready",
    "count_scheduled",
    "count_slices_waiting",
    "running_slices",
    "read_counts",
    "kept_bytes",
)  # all of an index, or of a small table, once
CASES: Final = [(subject, name) for subject, names in SEARCHED.items() for name in names]
NAMED: Final = re.compile(r":(\w+)")


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    store = SqliteStore(None, "memory")
    yield store
    store.close()


def plan(store: SqliteStore, statement: str) -> list[str]:
    sql = store._sql[statement]
    names = NAMED.findall(sql)
    numbered = [int(number) for number in re.findall(r"\?(\d+)", sql)]
    values = dict.fromkeys(names, 1) if names else [1] * (max(numbered) if numbered else sql.count("?"))
    return [row[3] for row in store._db.execute("EXPLAIN QUERY PLAN " + sql, values)]


def walks(steps: list[str]) -> list[str]:
    """``VIRTUAL TABLE``: the values that the statement was given."""
    return [step for step in steps if re.match(r"SCAN (?!levels|CONSTANT|\(|\w+ VIRTUAL TABLE)", step)]


@pytest.mark.parametrize(("subject", "statement"), CASES)
def test_no_statement_looks_at_more_than_it_is_about(
    store: SqliteStore, subject: str, statement: str
) -> None:
    steps = plan(store, statement)
    assert walks(steps) == [], steps
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize(
    "statement",
    [
        *FIRST_ROW,
        *AT_THE_START,
        "oldest_ready",
        "measure_many",
        "lease_rows",
        "facts",
        "results_sizes",
        "delete_slices",
    ],
)
def test_none_of_the_others_goes_through_the_rows_of_tasks_one_by_one(
    store: SqliteStore, statement: str
) -> None:
    assert not [step for step in walks(plan(store, statement)) if step == "SCAN tasks"]
