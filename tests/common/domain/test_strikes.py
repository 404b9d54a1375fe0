"""What a strike can be on, and what it holds."""

from __future__ import annotations

import pytest
from tq.common.domain.strikes import facts_of, holds, parse_strike
from tq.common.errors import InvalidArgument

FACTS = facts_of("img.small", "mail:send", "acme", {"smtp": "ann@a.example"})
BARE = facts_of("default", "m:f", "", {})


@pytest.mark.parametrize(
    ("text", "of_facts", "of_bare"),
    [
        ("task=mail:send", True, False),
        ("task=mail:*", True, False),
        ("task=mail:send tenant=acme", True, False),
        ("task=mail:send tenant=globex", False, False),
        ("task=mail:send or tenant=globex queue=x", True, False),
        ("queue in ('img.*', default)", True, True),
        ("limit.smtp=*@a.example", True, False),
        ("limit.other=*", False, False),
        ("has limit.smtp", True, False),
        ("not has tenant", False, True),
        ("tenant!=acme", False, True),
        ("not (queue=default task=m:f)", True, False),
    ],
)
def test_a_condition_holds_by_names_and_globs(text: str, of_facts: bool, of_bare: bool) -> None:
    condition = parse_strike(text)
    assert (holds(condition, FACTS), holds(condition, BARE)) == (of_facts, of_bare)
    assert parse_strike(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("arg.to~example.com", "tq.Limit.'to', max_running=1000000, by='{to}'.*strike 'limit.to="),
        ("queue=q tag.order=4711", "does not line tasks up by 'tag.order'"),
        ("limit.=x", "a strike does not know 'limit.'"),
        ("name=m:f", "a strike does not know 'name'; it can be on queue, task, tenant and limit.NAME"),
        ("task mail", "=, != or in .…. is missing at character 6, where there is 'mail'"),
        ("task=", "a value is missing at character 6, where there is the end; write task=mail:send"),
    ],
)
def test_what_the_master_does_not_line_up_by_is_refused_with_what_can_be_written(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        parse_strike(text)


def test_a_value_that_looks_like_an_argument_is_a_value() -> None:
    assert holds(parse_strike("task=arg.x:f"), facts_of("q", "arg.x:f", "", {}))


def test_labels_know_no_globs_and_no_blank_for_and() -> None:
    from tq.common.domain.where import parse_where

    for text in ("zone=eu*", "zone=eu arch=arm64"):
        with pytest.raises(InvalidArgument):
            parse_where(text)
