"""What may be set for the tasks of a key."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.key_quota import NO_QUOTA, KeyQuota
from tq.common.errors import InvalidArgument


def test_what_is_not_named_stays() -> None:
    quota = NO_QUOTA.with_changes({"max_queued": 5})
    assert quota.with_changes({"max_queued_bytes": 100}) == KeyQuota(5, 100)
    assert KeyQuota(5, 100).with_changes({"max_queued": None}) == KeyQuota(None, 100)
    assert (KeyQuota(5).tasks, NO_QUOTA.tasks) == (5, 1_000_000)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "a map of max_queued or max_queued_bytes"),
        ({"max_queued": 0}, "max_queued of a key is a whole number from 1 to 1,000,000, not 0; none"),
        ({"max_queued": -1}, "not -1"),
        ({"max_queued": 1_000_001}, "from 1 to 1,000,000"),
        ({"max_queued_bytes": "1G"}, "max_queued_bytes of a key is a whole number"),
        ({"colour": 5}, "can be set, not 'colour'"),
    ],
)
def test_what_means_nothing_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        NO_QUOTA.with_changes(changes)
    assert why in str(refused.value)
