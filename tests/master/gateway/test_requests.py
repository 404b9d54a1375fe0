"""What a stock client may ask for, and how its proxies are counted."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.master.gateway.decoder import TokenRecord
from tq.master.gateway.requests import (
    DEFAULT_NAMES,
    REFERENCES_MAX,
    SECONDS_MAX,
    Creation,
    References,
    ident_of,
    read_call,
    read_creation,
    split_request,
)

# calls


@pytest.mark.parametrize(
    ("method", "args", "kwds", "expected"),
    [
        ("put", (7,), {}, ("put", 7, None)),
        ("put", (7, False), {}, ("put", 7, 0.0)),
        ("put", (7, True, 2), {}, ("put", 7, 2.0)),
        ("put", (), {"item": 7, "timeout": 0.5}, ("put", 7, 0.5)),
        ("put", (7, False, -1), {}, ("put", 7, 0.0)),  # as queue: who does not wait has no timeout
        ("put_nowait", (7,), {}, ("put", 7, 0.0)),
        ("get", (), {}, ("get", None, None)),
        ("get", (True, 1e300), {}, ("get", None, SECONDS_MAX)),
        ("get", (True, 10**400), {}, ("get", None, SECONDS_MAX)),
        ("get", (), {"block": False}, ("get", None, 0.0)),
        ("get_nowait", (), {}, ("get", None, 0.0)),
        ("qsize", (), {}, ("qsize", None, None)),
        ("__str__", (), {}, ("__str__", None, None)),
    ],
)
def test_a_call_is_understood_as_the_queue_module_documents_it(
    method: str, args: tuple[Any, ...], kwds: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    request = read_call("1f/jobs", method, args, kwds)
    assert (request.queue, request.method, request.item, request.seconds) == ("jobs", *expected)


@pytest.mark.parametrize("timeout", [-1, -0.1, -(10**400), float("nan"), "1", [1]])
def test_a_timeout_that_is_none_is_a_value_error(timeout: Any) -> None:
    with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
        read_call("1/q", "get", (True, timeout), {})


@pytest.mark.parametrize(
    ("ident", "method", "args", "kwds", "words"),
    [
        (None, "get", (), {}, "no object is known as None"),
        ("q", "get", (), {}, "no object is known as 'q'"),
        ([10**9000], "get", (), {}, r"no object is known as \[<an int of 29,898 bits>\]"),
        ("/q", "get", (), {}, "no object is known as"),
        ("1/", "get", (), {}, "no object is known as|queue"),
        ("1/q\n", "get", (), {}, "queue"),
        ("1/q", "queue", (), {}, "method 'queue' is not in exposed="),
        ("1/q", "__class__", (), {}, "is not in exposed="),
        ("1/q", "put", (), {}, "missing the argument 'item'"),
        ("1/q", "put", (1, True, 2, 3), {}, "does not take these arguments"),
        ("1/q", "put", (1,), {"item": 2}, "does not take these arguments"),
        ("1/q", "qsize", (1,), {}, "does not take these arguments"),
        ("1/q", "get", (), {"wait": True}, "does not take these arguments"),
    ],
)
def test_any_other_call_is_refused(
    ident: Any, method: str, args: tuple[Any, ...], kwds: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        read_call(ident, method, args, kwds)


@pytest.mark.parametrize(
    "request_",
    [
        None,
        (),
        ("1/q", "get", ()),
        ("1/q", 1, (), {}),
        ("1/q", "get", [], {}),
        ("1/q", "get", (), {1: 2}),
        ["1/q", "get", (), []],
    ],
)
def test_a_request_has_four_parts_of_known_types(request_: Any) -> None:
    with pytest.raises(InvalidArgument, match="a request is"):
        split_request(request_)


# what is created


def test_the_three_typeids_are_queues_that_need_no_making() -> None:
    assert read_creation(("get_task_queue",), {}) == Creation(queue="default")
    assert read_creation(("get_result_queue",), {}) == Creation(queue="results")
    assert read_creation(("get_task_queue", "mail"), {}) == Creation(queue="mail")
    assert read_creation(("get_queue", "mail", "lifo"), {"maxsize": 3}) == Creation(
        queue="mail", kind="lifo", maxsize=3
    )
    assert read_creation(("get_queue", "mail"), {"maxsize": 3}).kind == "fifo"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "not served here"),
        ((7,), "not served here"),
        (("get_nothing",), "there are " + ", ".join(DEFAULT_NAMES)),
        (("get_queue",), "name"),
        (("get_queue", "q", "heap"), "kind must be one of"),
        (("get_queue", "q", 10**9000), "kind must be one of"),
        (("get_queue", "q", "fifo", -1), "maxsize is a whole number"),
        (("get_queue", "q", "fifo", True), "maxsize is a whole number"),
        (("get_task_queue", "q", "fifo"), "does not take these arguments"),
    ],
)
def test_any_other_creation_is_refused(args: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        read_creation(args, {})


# proxies


def test_the_last_proxy_of_an_ident_is_known_as_the_last() -> None:
    references = References(0)
    ident = references.new("jobs")
    references.add(ident)
    assert [references.drop(ident) for _ in range(3)] == [False, True, False]
    references.add(ident)
    assert len(references) == 0


def test_idents_of_an_earlier_start_have_no_references() -> None:
    assert References(1_000).new("jobs") != References(2_000).new("jobs")


def test_of_too_many_those_unused_for_longest_are_forgotten() -> None:
    references = References(0)
    used, unused = references.new("a"), references.new("b")
    references.used(used)
    for _ in range(REFERENCES_MAX - 1):
        references.new("many")
    assert len(references) == REFERENCES_MAX
    assert (references.drop(used), references.drop(unused)) == (True, False)


def test_an_ident_comes_as_text_or_within_a_token() -> None:
    assert ident_of("1/q") == ident_of(TokenRecord("get_task_queue", None, "1/q")) == "1/q"
    with pytest.raises(InvalidArgument):
        ident_of(7)
