"""What a strike can be on, and what it holds."""

from __future__ import annotations

import pytest
from tq.common.domain.strikes import facts_of, holds, parse_strike, tags_of, verdict, with_tags
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
        ("limit.=x", "a strike does not know 'limit.'"),
        ("arg.=x", "a strike does not know 'arg.'"),
        (
            "name=m:f",
            "does not know 'name'; it can be on queue, task, tenant, limit.NAME, arg.NAME or tag.NAME: the key",
        ),
        ("task mail", "=, !=, ~ or in .…. is missing at character 6, where there is 'mail'"),
        ("arg.to~", "a value is missing at character 8, where there is the end; write task=mail:send"),
        ("task=", "a value is missing at character 6, where there is the end; write task=mail:send"),
    ],
)
def test_what_a_strike_cannot_be_on_is_refused_with_what_can_be_written(text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        parse_strike(text)


TAGGED = with_tags(FACTS, {"arg.to": "ann@a.example", "order": "4711"})


@pytest.mark.parametrize(
    ("text", "holds_tagged", "of_lane", "of_bare_lane"),
    [
        ("arg.to~a.example", True, None, None),
        ("arg.to~'b.example'", False, None, None),
        ("not arg.to~a.example", False, None, None),
        ("tag.order in (4711, 4712)", True, None, None),
        ("has arg.to", True, None, None),
        ("task=mail:send arg.to=*", True, None, False),
        ("task=mail:send or arg.to=x", True, True, None),
        ("task=mail:send or queue=x", True, True, False),
        ("task=x and arg.to=* and tenant=acme", False, False, False),
        ("not (task=mail:send arg.to=*)", False, None, True),
        ("(task=x or arg.to=*) and tenant=acme", True, None, False),
    ],
)
def test_of_a_lane_it_holds_all_or_none_or_that_depends_on_the_tags_of_each_task(
    text: str, holds_tagged: bool, of_lane: bool | None, of_bare_lane: bool | None
) -> None:
    condition = parse_strike(text)
    assert holds(condition, TAGGED) is holds_tagged
    assert (verdict(condition, FACTS), verdict(condition, BARE)) == (of_lane, of_bare_lane)
    assert parse_strike(str(condition)) == condition


def test_of_lanes_with_different_tenants_and_keys_only_queue_and_function_are_certain() -> None:
    found = [
        verdict(parse_strike(text), BARE, of_many=True)
        for text in ("tenant=x", "limit.s=x", "task=x tenant=y")
    ]
    assert found == [None, None, False]


def test_the_tags_that_a_strike_looks_at_are_named_as_tasks_have_them() -> None:
    assert tags_of(parse_strike("arg.to=a and (tag.order=1 or has arg.to) task=m:f")) == ("arg.to", "order")
    assert tags_of(parse_strike("task=m:f tenant=x")) == ()


def test_text_inside_is_a_glob_when_it_is_shown_again() -> None:
    assert str(parse_strike("task~mail arg.to~a.example")) == "task='*mail*' and arg.to='*a.example*'"


def test_a_value_that_looks_like_an_argument_is_a_value() -> None:
    assert holds(parse_strike("task=arg.x:f"), facts_of("q", "arg.x:f", "", {}))


def test_labels_know_no_globs_and_no_blank_for_and() -> None:
    from tq.common.domain.where import parse_where

    for text in ("zone=eu*", "zone=eu arch=arm64", "zone~eu"):
        with pytest.raises(InvalidArgument):
            parse_where(text)
