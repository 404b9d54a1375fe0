"""Conditions on labels: what they mean, how they are written, and that nothing else gets through the parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.where import (
    DEPTH_MAX,
    TERMS_MAX,
    Condition,
    Several,
    Term,
    check_label_name,
    parse_where,
    unmet,
)
from tq.common.errors import InvalidArgument

from ...properties import examples

HERE = {"zone": "eu", "arch": "arm64", "rack": "7 b"}
HAS = frozenset({"gpu"})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("zone=eu", True),
        ("zone = us", False),
        ("zone!=us", True),
        ("zone != eu", False),
        ("colour!=red", True),  # there is no such label, so it is not red
        ("colour=red", False),
        ("arch in (x86_64, arm64)", True),
        ("arch not in (x86_64,arm64)", False),
        ("not arch in (x86_64)", True),
        ("has gpu", True),
        ("has zone", True),
        ("not has tpu", True),
        ("rack='7 b'", True),
        ('rack="7 b"', True),
        ("zone=us or zone=eu", True),
        ("zone=us or zone=eu and arch=x86_64", False),  # and binds first
        ("(zone=us or zone=eu) and arch=arm64", True),
        ("not (zone=us or zone=eu)", False),
        ("not not zone=eu", True),
        ("zone in ('in', \"and\", eu)", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, holds: bool) -> None:
    assert parse_where(text).holds(HERE, HAS) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone", "=, != or in (…) is missing at character 5, where there is the end"),
        ("zone==eu", "a value is missing at character 6"),
        ("=eu", "the name of a label is missing at character 1"),
        ("zone=", "a value is missing at character 6, where there is the end"),
        ("zone=eu arch=x", "and, or, or the end is missing at character 9"),
        ("zone=eu and", "the name of a label is missing at character 12"),
        ("(zone=eu", ") is missing at character 9"),
        ("arch in ()", "a value is missing at character 10"),
        ("arch in (a b)", ") is missing at character 12"),
        ("zone>eu", "a name, a sign or a value in quotes is missing at character 5"),
        ("zone='eu", "a name, a sign or a value in quotes is missing at character 6"),
        ("9lives=1", "the name of a label is missing at character 1"),
        ("and=1", "the name of a label is missing at character 1"),
        ("has", "the name of a label is missing at character 4"),
        ("zone=or", "a value is missing at character 6"),
        ("zone\n=eu", "unprintable"),
        ("", "the name of a label is missing at character 1"),
        ("a=b or " * 200 + "a=b", "at most 1,000"),
        (" or ".join(f"a=b{n}" for n in range(TERMS_MAX + 1)), f"more than {TERMS_MAX} comparisons"),
        ("(" * (DEPTH_MAX + 1) + "a=b" + ")" * (DEPTH_MAX + 1), "brackets deep"),
        ("not " * (DEPTH_MAX + 1) + "a=b", "brackets deep"),
        ("__import__('os').system('true')", "=, != or in (…) is missing at character 11"),
    ],
)
def test_a_faulty_condition_is_refused_with_the_place(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_where(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["", "9", "a b", "and", "in", "x" * 64, "é", 7, None, "-a"])
def test_a_label_needs_a_name_that_a_condition_can_have(name: object) -> None:
    with pytest.raises(InvalidArgument, match="a label has a name of up to 63"):
        check_label_name("a label", name)


NAMES = st.sampled_from(["zone", "arch", "gpu", "not_", "a.b-c"])
VALUES = st.one_of(
    st.sampled_from(["eu", "us", "x86_64", "or", "in"]),
    st.text("aZ9 ='()!,\t", max_size=5).filter(str.isprintable),
)
TERMS = st.builds(
    Term, NAMES, st.lists(VALUES, max_size=3).map(lambda some: tuple(sorted(set(some)))), st.booleans()
)
CONDITIONS = st.recursive(
    TERMS,
    lambda inner: st.builds(Several, st.lists(inner, min_size=2, max_size=3).map(tuple), st.booleans()),
    max_leaves=8,
)
LABELS = st.dictionaries(NAMES, VALUES, max_size=4)


@examples(300)
@given(CONDITIONS, LABELS, st.frozensets(NAMES))
def test_a_condition_that_is_written_reads_back_as_the_same(
    condition: Condition, labels: dict[str, str], resources: frozenset[str]
) -> None:
    again = parse_where(str(condition))
    assert again.holds(labels, resources) == condition.holds(labels, resources)
    assert parse_where(str(again)) == again  # and its text is the one form of all that say the same so


@examples(300)
@given(CONDITIONS, LABELS, st.frozensets(NAMES))
def test_the_comparisons_that_are_missing_would_make_it_hold(
    condition: Condition, labels: dict[str, str], resources: frozenset[str]
) -> None:
    missing = unmet(condition, labels, resources)
    assert condition.holds(labels, resources) == (not missing)
    assert all(not term.holds(labels, resources) for term in missing)
    assert _with(condition, set(missing), labels, resources)


def _with(condition: Condition, given: set[Term], labels: dict[str, str], resources: frozenset[str]) -> bool:
    if isinstance(condition, Term):
        return condition in given or condition.holds(labels, resources)
    held = [_with(part, given, labels, resources) for part in condition.parts]
    return all(held) if condition.is_all else any(held)


@examples(500)
@given(st.text("zone=!()ineuarhsotd,'\" ", max_size=30))
def test_no_text_does_more_than_be_read_or_be_refused(text: str) -> None:
    try:
        found = parse_where(text)
    except InvalidArgument:
        return
    assert isinstance(found.holds({}, ()), bool)
