from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest
from tq.common.errors import Forbidden, StoreError, TqError, Unreachable
from tq.worker.child import needed
from tq.worker.child.needed import TRIES, fetch


class Link:
    """Gives these answers, one call after the other; the last one stays."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[Any, ...]] = []
        self.threads: set[int] = set()

    def call(self, target: Any, method: str, *args: Any) -> Future[Any]:
        self.calls.append((*target, method, *args))
        self.threads.add(threading.get_ident())
        future: Future[Any] = Future()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, TqError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future

    def close(self) -> None: ...


def test_results_are_asked_for_by_the_lease_and_by_another_thread() -> None:
    link = Link([["first", 10, [b""]]])
    assert fetch(link, b"id", 2, b"lease", b"first") == [["first", 10, [b""]]]
    asked = ("get_dependencies", "results", b"id", 2, b"lease", b"first")
    assert link.calls == [("of_task", b"id", *asked)]
    assert threading.get_ident() not in link.threads


def test_a_call_whose_connection_broke_is_made_again() -> None:
    link = Link(Unreachable("broken"), Unreachable("broken"), [])
    assert fetch(link, b"id", 1, b"lease", b"first") == []
    assert len(link.calls) == 3


def test_trouble_of_the_store_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed, "PAUSE_SECONDS", 0.0)
    link = Link(*[StoreError("the disk says no")] * (TRIES + 1), [])
    assert fetch(link, b"id", 1, b"lease", b"first") == []
    assert len(link.calls) == TRIES + 2


def test_a_refusal_is_final_and_so_is_a_connection_that_always_breaks() -> None:
    with pytest.raises(Forbidden):
        fetch(Link(Forbidden("no")), b"id", 1, b"lease", b"first")
    link = Link(Unreachable("broken"))
    with pytest.raises(Unreachable):
        fetch(link, b"id", 1, b"lease", b"first")
    assert len(link.calls) == TRIES
