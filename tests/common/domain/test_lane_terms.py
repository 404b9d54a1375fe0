"""What tasks say of limits and tenants besides options, as far as it does not depend on their arguments."""

from __future__ import annotations

import pytest
from tq.common.domain.columns import NO_COLUMNS
from tq.common.domain.expressions import expression
from tq.common.domain.lane_terms import NO_TERMS, LaneTerms
from tq.common.domain.limits import Limit
from tq.common.errors import InvalidArgument

ALL, PER_X = Limit("all", rate="1/s"), Limit("x", max_running=1, by="{x}")


def test_terms_without_a_parameter_are_the_same_for_all_tasks() -> None:
    terms = LaneTerms((ALL,), expression("tenant", "acme"))
    assert terms.are_fixed
    assert terms.fixed().to_wire() == {"limits": [[{"name": "all", "rate": "1/s"}, ""]], "tenant": "acme"}
    assert NO_TERMS.fixed() is NO_COLUMNS
    assert not LaneTerms((ALL, PER_X)).are_fixed
    assert not LaneTerms((), expression("tenant", "{x}")).are_fixed


def test_limits_that_are_given_take_the_place_of_those_before() -> None:
    terms = NO_TERMS.using({"limits": [ALL]})
    assert terms.limits == (ALL,)
    assert terms.using({"priority": 5}) == terms
    assert terms.using({"limits": [PER_X]}).limits == (PER_X,)
    assert terms.using({"limits": []}) == NO_TERMS
    with pytest.raises(InvalidArgument, match=r"limits=\[tq.Limit"):
        terms.using({"limits": ALL})
