"""What may be set for a tenant."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.tenants import NO_TERMS, TenantTerms, check_tenant
from tq.common.errors import InvalidArgument


def test_what_is_not_named_stays() -> None:
    terms = NO_TERMS.with_changes({"weight": 3})
    assert terms == TenantTerms(3, None)
    assert terms.with_changes({"max_running": 20}) == TenantTerms(3, 20)
    assert TenantTerms(3, 20).with_changes({"max_running": None}) == TenantTerms(3, None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "a map of weight, max_running or shards_of"),
        ({"weight": 0}, "weight of a tenant is a whole number from 1 to 1,000, not 0"),
        ({"weight": 1_001}, "from 1 to 1,000"),
        ({"weight": None}, "weight of a tenant"),
        ({"weight": True}, "weight of a tenant"),
        ({"max_running": -5}, "max_running of a tenant is a whole number from 1 to 1,000,000, not -5; none"),
        ({"max_running": 0}, "from 1"),
        ({"max_running": "20"}, "not '20'"),
        ({"colour": 5}, "weight, max_running and shards_of can be set, not 'colour'"),
        ({"shards_of": "mail"}, "a list of at most 64 queues, not 'mail'"),
        ({"shards_of": ["mail", ""]}, "queue name must be 1 to 255 characters"),
        ({"shards_of": ["q"] * 65}, "a list of at most 64 queues"),
    ],
)
def test_what_means_nothing_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        NO_TERMS.with_changes(changes)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("name", "why"), [("", "without a tenant"), ("x" * 257, "257 bytes; at most 256"), (5, "is text, not 5")]
)
def test_the_name_of_a_tenant_is_some_text(name: object, why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_tenant(name)
    assert why in str(refused.value)
