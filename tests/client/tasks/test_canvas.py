"""Chains, groups and chords: which calls they make, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.tasks.canvas import CanvasPart


class Recorded:
    """A task that notes how it is submitted."""

    def __init__(self, name: str, calls: list[Any], after: Any = None) -> None:
        self.name, self.calls, self.after = name, calls, after

    def using(self, *, after: Any = None, **options: Any) -> Recorded:
        return Recorded(self.name, self.calls, after or options)

    def submit(self, *args: Any, **kwargs: Any) -> str:
        self.calls.append((self.name, args, kwargs, self.after))
        return f"handle {len(self.calls)}"

    def s(self, *args: Any, **kwargs: Any) -> tq.Signature:
        return tq.Signature(self, args, kwargs, is_immutable=False)  # type: ignore[arg-type]

    def si(self, *args: Any, **kwargs: Any) -> tq.Signature:
        return tq.Signature(self, args, kwargs, is_immutable=True)  # type: ignore[arg-type]


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.fixture
def tasks(calls: list[Any]) -> list[Recorded]:
    return [Recorded(name, calls) for name in "abc"]


def test_a_part_of_a_chain_gets_the_result_before_it_first_and_an_immutable_one_only_waits(
    tasks: list[Recorded], calls: list[Any]
) -> None:
    a, b, c = tasks
    assert tq.chain(a.s(1), b.s(2, x=3), c.si(4)).submit() == "handle 3"
    assert calls == [
        ("a", (1,), {}, None), ("b", ("handle 1", 2), {"x": 3}, None), ("c", (4,), {}, ["handle 2"]),
    ]  # fmt: skip


def test_a_group_runs_side_by_side_and_a_chord_gets_the_list(tasks: list[Recorded], calls: list[Any]) -> None:
    a, b, c = tasks
    assert tq.group(a.s(number) for number in (1, 2)).submit() == ["handle 1", "handle 2"]
    calls.clear()
    assert tq.chord([a.s(1), b.s(2)], c.s("end")).submit() == "handle 3"
    assert calls[-1] == ("c", (["handle 1", "handle 2"], "end"), {}, None)
    calls.clear()
    (tq.group(a.s(1), b.s(2)) | c.si()).submit()
    assert calls[-1] == ("c", (), {}, [["handle 1", "handle 2"]])


def test_each_of_a_group_behind_another_part_gets_its_result(tasks: list[Recorded], calls: list[Any]) -> None:
    a, b, c = tasks
    (a.s(1) | tq.group(b.s(), c.s(7) | b.s())).submit()
    assert [(name, args) for name, args, _, _ in calls] == [
        ("a", (1,)), ("b", ("handle 1",)), ("c", ("handle 1", 7)), ("b", ("handle 3",)),
    ]  # fmt: skip


def test_bars_join_whatever_they_stand_between(tasks: list[Recorded], calls: list[Any]) -> None:
    a, b, c = tasks
    made = (a.s() | b.s()) | (c.s() | a.s())
    assert repr(made) == "a() | b() | c() | a()"
    made.submit()
    assert [name for name, *_ in calls] == ["a", "b", "c", "a"]
    with pytest.raises(TypeError):
        a.s() | 5  # type: ignore[operator]


def test_a_signature_with_other_options_is_another_one(tasks: list[Recorded], calls: list[Any]) -> None:
    a, _, _ = tasks
    a.s(1).using(priority=5).submit()
    assert calls == [("a", (1,), {}, {"priority": 5})]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tq.chain(), "a chain has at least one part"),
        (lambda: tq.group([]), "a group has at least one part"),
        (lambda: tq.chain(print), "is not part of a chain; write task.s"),  # type: ignore[arg-type]
        (lambda: tq.chord([], CanvasPart()), "a group has at least one part"),
        (lambda: tq.chord([CanvasPart()], 7), "7 is not part of a chord"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_part_is_refused(make: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        make()


def test_after_is_handles_and_of_one_task() -> None:
    app = tq.App("tq://127.0.0.1:1", "secret")
    with pytest.raises(tq.InvalidArgument, match="after is a handle, or a list of handles, not 5"):
        app.named("m:f").using(after=[5])
    handle = tq.Handle[Any](app.session, b"t" * 16)
    with pytest.raises(tq.InvalidArgument, match="after=… is of one task"):
        app.named("m:f").using(after=[[handle]]).map([1])


def test_a_link_gets_the_result_too_and_an_error_link_is_asked_to_run_only_after_a_failure(
    tasks: list[Recorded], calls: list[Any]
) -> None:
    a, b, c = tasks
    made = tq.chain(a.s(1), a.s(2)).link(b.s(3)).link(b.si(4)).link_error(c.s("x"))
    assert made.submit() == "handle 2"
    assert calls[2:] == [
        ("b", ("handle 2", 3), {}, None), ("b", (4,), {}, ["handle 2"]), ("c", ("handle 2", "x"), {}, {"on_error": "catch"}),
    ]  # fmt: skip
    calls.clear()
    tq.group(a.s(1), a.s(2)).link_error(c.s()).submit()
    assert [args for name, args, _, _ in calls if name == "c"] == [("handle 1",), ("handle 2",)]
    with pytest.raises(tq.InvalidArgument, match="a group has no result of its own"):
        tq.group(a.s(1)).link(b.s())
    with pytest.raises(tq.InvalidArgument, match="is not a callback; write task"):
        a.s(1).link(print)  # type: ignore[arg-type]


def test_tasks_that_are_submitted_already_stand_first(tasks: list[Recorded], calls: list[Any]) -> None:
    _, b, _ = tasks
    app = tq.App("tq://127.0.0.1:1", "secret")
    handles = tq.Handles[Any](app.session)
    tq.chord(handles, b.s(1)).submit()
    tq.chain(handles, b.s(2)).submit()
    tq.chord([handles, handles], b.s(3)).submit()
    assert [args for _, args, _, _ in calls] == [(handles, 1), (handles, 2), ([handles, handles], 3)]
    with pytest.raises(tq.InvalidArgument, match="is submitted already and waits"):
        tq.chain(b.s(1), handles).submit()


def test_chunks_have_a_size() -> None:
    app = tq.App("tq://127.0.0.1:1", "secret")
    with pytest.raises(tq.InvalidArgument, match="size is a whole number from 1, not 0"):
        app.named("m:f").chunks([(1,)], 0)
