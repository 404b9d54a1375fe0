"""A pattern that is said to lie within another never fits a name that the other does not."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.auth.keys import make_token_verifier
from tq.common.auth.patterns import lies_within
from tq.common.domain.model import Role

NAMES = ["".join(letters) for size in range(1, 5) for letters in itertools.product("ab*[", repeat=size)]
patterns = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[a", "[]", "[!]", "]"]), min_size=1, max_size=5
).map("".join)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("gpu", "gpu"),
        ("gpu.a", "gpu.*"),
        ("gpu.a*", "gpu.*"),
        ("gpu.*", "gpu.*"),
        ("gpu?x", "gpu*"),
        ("gpu[12]", "gpu?"),
        ("gpu1", "gpu[12]"),
        ("*", "*"),
        ("a*b*c", "a*c"),
        ("anything", "*"),
    ],
)
def test_what_is_narrower_lies_within(inner: str, outer: str) -> None:
    assert lies_within(inner, outer)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [("*", "gpu*"), ("gpu*", "gpu.*"), ("gpu*", "gpu?"), ("*x", "[*]x"), ("mail", "gpu*"), ("?", "a")],
)
def test_what_is_wider_or_elsewhere_does_not(inner: str, outer: str) -> None:
    assert not lies_within(inner, outer)


@given(patterns, patterns)
def test_no_name_fits_the_inner_pattern_and_not_the_outer(inner: str, outer: str) -> None:
    if lies_within(inner, outer):
        assert [one for one in NAMES if fnmatchcase(one, inner) and not fnmatchcase(one, outer)] == []


def test_a_key_covers_what_may_do_no_more_than_it() -> None:
    def key(role: Role, *queues: str) -> object:
        return make_token_verifier("k", b"s" * 32, role=role, queues=queues)

    free, bound = key(Role.ADMIN), key(Role.ADMIN, "gpu*", "mail")
    assert free.covers(Role.ADMIN, [])
    assert free.covers(Role.WORKER, ["x*"])
    assert bound.covers(Role.CLIENT, ["gpu1", "mail"])
    assert not bound.covers(Role.ADMIN, [])  # none named is all
    assert not bound.covers(Role.ADMIN, ["*"])
    assert not bound.covers(Role.VIEWER, ["gpu1", "mai*"])
    assert not key(Role.CLIENT).covers(Role.ADMIN, ["gpu1"])
    assert not key(Role.WORKER, "gpu*").covers(Role.CLIENT, ["gpu1"])
