"""Exceptions that do all they can not to be described."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import CancelRequested, TimeLimit
from tq.common.values import exception_text
from tq.common.values.failure import MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX, Failure
from tq.worker.child.verdict import verdict

from ...properties import examples

LONG = 5_000  # links of a chain


def raising(kind: type[BaseException]) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise kind("not to be read")

    return refuse


class Text(str):
    """A text whose methods cannot be called."""

    __getitem__ = encode = __format__ = __str__ = __len__ = raising(RuntimeError)  # type: ignore[assignment]


class Circular(Exception):
    """Each time it is asked for its cause it has a new one."""

    @property  # type: ignore[override]
    def __cause__(self) -> BaseException:
        return Circular()


KINDS = [
    ValueError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    RecursionError,
    MemoryError,
    TimeLimit,
    CancelRequested,
]
BASES = [
    Exception,
    BaseException,
    OSError,
    SyntaxError,
    KeyError,
    SystemExit,
    ExceptionGroup,
    TimeLimit,
    UnicodeDecodeError,
]
NAMES = [
    "args",
    "__notes__",
    "__dict__",
    "__cause__",
    "__context__",
    "__suppress_context__",
    "__traceback__",
    "__class__",
    "exceptions",
    "filename",
    "offset",
    "text",
    "tq_detail",
]
METHODS = [
    "__str__",
    "__repr__",
    "__getattribute__",
    "__hash__",
    "__eq__",
    "__format__",
    "__bool__",
    "__dir__",
]
VALUES: list[Any] = [
    None,
    0,
    -1,
    10**9,
    2.0**1000,
    "text",
    "\ud800",
    b"x",
    (),
    [],
    {},
    object(),
    Text("x"),
    Circular(),
    [Text("n")],
]


def made(base: type[BaseException], namespace: dict[str, Any]) -> BaseException:
    kind = type("Odd", (base,), namespace)
    arguments: tuple[Any, ...] = {
        ExceptionGroup: ("some", [ValueError(1), KeyError("k")]),
        SyntaxError: ("odd", ("file.py", 3, 2, "a line", 3, 10**12)),
        UnicodeDecodeError: ("utf-8", b"x", 0, 1, "why"),
    }.get(base, ("text", 1))
    return kind.__new__(kind, *arguments)


hostile_members = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        st.sampled_from(KINDS).map(lambda kind: property(raising(kind))),
        st.sampled_from(VALUES).map(lambda value: property(lambda _: value)),
        st.sampled_from(VALUES),
    ),
    max_size=4,
)
hostile_methods = st.dictionaries(
    st.sampled_from(METHODS),
    st.one_of(
        st.sampled_from(KINDS).map(raising), st.sampled_from(VALUES).map(lambda value: lambda *_: value)
    ),
    max_size=3,
)


@examples(100)
@given(
    bases=st.lists(st.sampled_from(BASES), min_size=1, max_size=4),
    members=hostile_members,
    methods=hostile_methods,
    data=st.data(),
)
def test_describing_an_end_never_raises_whatever_the_exception_does(
    bases: list[type[BaseException]],
    members: dict[str, Any],
    methods: dict[str, Any],
    data: st.DataObject,
) -> None:
    errors = [made(base, {**members, **methods}) for base in bases]
    for earlier, later in itertools.pairwise(errors):
        name = data.draw(st.sampled_from(["__cause__", "__context__"]))
        vars(BaseException)[name].__set__(later, earlier)
    with_trace = vars(BaseException)["__traceback__"]
    try:
        raise ValueError("for its traceback")
    except ValueError as here:
        with_trace.__set__(errors[-1], here.__traceback__)
    outcome, body, after = verdict(errors[-1], 3.0, __file__)
    assert type(outcome.value if hasattr(outcome, "value") else outcome) is int
    assert after is None
    failure = Failure.decode(body)
    assert failure.type
    assert len(failure.message) <= MESSAGE_CHARS_MAX
    assert len(failure.traceback) <= TRACEBACK_CHARS_MAX + 100


@pytest.mark.parametrize("slot", ["__cause__", "__context__"])
def test_a_long_chain_is_cut_in_the_middle_and_keeps_its_ends(slot: str) -> None:
    error: BaseException = ConnectionError("the first")
    for number in range(LONG):
        later = ConnectionError(f"try {number}")
        setattr(later, slot, error)
        error = later
    failure = Failure.of(error)
    assert failure.message == f"try {LONG - 1}"
    assert "the first" in failure.traceback
    assert failure.traceback.endswith(f"try {LONG - 1}\n")
    assert f"{LONG + 1 - 2 * exception_text.ENDS:,} errors of this chain left out" in failure.traceback


def test_a_chain_that_is_a_circle_is_left_where_it_closes() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    text = Failure.of(first).traceback
    assert text.count("first") == text.count("second") == 1


def test_a_cause_that_is_another_each_time_is_not_followed() -> None:
    assert Failure.of(Circular("m")).traceback == f"{__name__}.Circular: m\n"


def test_groups_nested_deeper_than_the_stack_are_described() -> None:
    error: Exception = ValueError("innermost")
    for _ in range(LONG):
        error = ExceptionGroup("nested", [error])
    text = Failure.of(error).traceback
    assert text.startswith("ExceptionGroup: nested (1 sub-exception)\n  ExceptionGroup")
    assert "errors inside" in text


def test_groups_that_share_their_members_do_not_multiply_them() -> None:
    error: Exception = ValueError("shared")
    for _ in range(60):
        error = ExceptionGroup("g", [error] * 15)
    assert len(Failure.of(error).traceback.splitlines()) <= exception_text.LINES_MAX + 1


def test_an_ordinary_error_looks_as_python_shows_it() -> None:
    def inner() -> None:
        raise KeyError("k")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            error.add_note("a note")
            raise ExceptionGroup("two", [ValueError(1), OSError(2, "no", "f")]) from error

    with pytest.raises(ExceptionGroup) as caught:
        outer()
    assert Failure.of(caught.value).traceback == "".join(traceback.format_exception(caught.value))


def test_a_syntax_error_looks_as_python_shows_it() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("a b", "file.py", "exec")
    shown = "".join(traceback.format_exception_only(caught.value))
    assert Failure.of(caught.value).traceback.endswith(shown)


def test_a_syntax_error_with_a_line_of_carets_without_end_is_described_without_it() -> None:
    error = SyntaxError("odd", ("file.py", 1, 1, "a line", 1, 10**12))
    assert Failure.of(error).traceback == "SyntaxError: odd (file.py, line 1)\n"


def test_a_text_that_is_no_plain_str_is_described_as_one() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            return Text("as it is")

    assert Failure.of(Odd()).message == "as it is"
    assert type(Failure.of(Odd()).message) is str


def test_a_detail_that_changes_after_it_was_judged_is_left_out() -> None:
    failure = Failure("T", "m", "trace", {"good": 1})
    failure.detail["bad"] = object()
    assert Failure.decode(failure.encode()) == Failure("T", "m", "trace", {})


@pytest.mark.parametrize(
    "way", ["ours, user", "ours, user, ours, user", "ours, user, ours", "ours", "user, ours"]
)
def test_frames_that_are_left_out_above_the_users_are_not_read(way: str) -> None:
    names: dict[str, Any] = {}
    does = "raise KeyError(1)"
    for file in reversed(way.split(", ")):
        names = {"called": names.get("step")}
        exec(compile(f"def step():\n    {does}\n", f"/{file}/x.py", "exec"), names)  # noqa: S102
        does = "called()"
    with pytest.raises(KeyError) as raised:
        names["step"]()
    raised.value.__traceback__ = raised.tb.tb_next  # without the frame of this test

    def trim(stack: Any, one: BaseException) -> list[Any]:
        frames = list(stack)
        others = [at for at, frame in enumerate(frames) if not frame.filename.startswith("/ours/")]
        return frames[others[0] :] if others else frames

    whole = exception_text.traceback_text(raised.value, trim, 10_000)
    assert exception_text.traceback_text(raised.value, trim, 10_000, ("/ours/",)) == whole
    assert whole.count("step") == len(way.split(", ")) - way.startswith("ours, ")
