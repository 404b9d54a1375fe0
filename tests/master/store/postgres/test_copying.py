"""What says that two sides have the same rows. The way of a whole store is in tests/master/test_copying.py."""

from __future__ import annotations

import pytest
from tq.master.store.postgres.copying import digest_of

ROWS = [(1, b"a", None, "x"), (2, b"", 0.5, "y")]


def test_the_order_of_rows_does_not_matter() -> None:
    assert digest_of("t", ROWS) == digest_of("t", reversed(ROWS))
    assert digest_of("t", ROWS).rows == len(ROWS)


@pytest.mark.parametrize(
    "others",
    [
        ROWS[:1],
        [*ROWS, ROWS[0]],
        [(1, b"a", None, "x"), (2, b"", None, "y")],
        [(1, b"a", None, "x"), (2, "", 0.5, "y")],
        [(1, b"", None, "x"), (2, b"a", 0.5, "y")],
    ],
    ids=[
        "one is missing",
        "one is there twice",
        "a value is gone",
        "another type",
        "values have changed rows",
    ],
)
def test_any_other_rows_have_another_digest(others: list[tuple[object, ...]]) -> None:
    assert digest_of("t", others) != digest_of("t", ROWS)
