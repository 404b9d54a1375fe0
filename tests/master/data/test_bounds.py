"""Named values: many calls of large values at a time block no client for long, and what was accepted once is not refused later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode_call
from tq.master.data import named_values as data_module
from tq.master.data.named_values import NamedValues
from tq.master.store.sqlite.store import SqliteStore

from .test_named_values import Named, understood


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tq.db"


def test_few_stay_in_memory_when_many_are_asked_for_at_a_time(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "RESIDENT_BYTES_MAX", 3_000)
    bench = make_bench(SqliteStore(path))
    many = [Named(bench.client(), "list", f"n{number}", [b"x" * 1_000]) for number in range(6)]
    bench = make_bench(SqliteStore(path))
    client = bench.client()
    calls = [client.ask(one.target, "call", one.caller, 1, "copy", encode_call((), {}), []) for one in many]
    bench.step()
    assert [len(understood(client.answer(call))) for call in calls] == [1] * 6
    assert 0 < sum(one.datum is not None for one in bench.engine.part(NamedValues).by_name.values()) <= 3


@pytest.mark.parametrize("method", ["copy", "__repr__", "count"])
def test_a_transaction_ends_when_it_has_gone_through_enough(bench: Any, method: str) -> None:
    """What a thousand programs ask of a large value is not one transaction, with all answers in memory and all other clients waiting."""
    client = bench.client()
    named = Named(client, "list", "x", [b"x" * 400_000])
    args = (1,) if method == "count" else ()
    call = named.target, "call", named.caller, 1, method, encode_call(args, {}), []
    calls = [client.ask(*call) for _ in range(9)]
    for left in (6, 3, 0):
        bench.step()
        assert (len(calls) - len(client.answers), bench.engine.has_work) == (left, left > 0)


def test_what_was_accepted_is_not_validated_again_when_it_is_read(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds may differ from one version to the next, and are counted otherwise after a call that was refused."""
    named = Named(make_bench(SqliteStore(path)).client(), "list", "x", [b"x" * 500])
    for _ in range(3):
        named("append", b"x" * 500)
    monkeypatch.setattr(data_module, "BYTES_MAX", 800)
    named.peer = make_bench(SqliteStore(path)).client()
    assert len(named.value) == 4
    with pytest.raises(InvalidArgument, match="800 is the limit"):
        named("append", 1)


def test_a_value_that_cannot_be_rewritten_keeps_its_calls(
    make_bench: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "CALLS_BYTES_MIN", 0)
    bench = make_bench(SqliteStore(path))
    named = Named(bench.client(), "list", "x")
    with monkeypatch.context() as broken:
        broken.setattr("tq.master.data.types.Datum.serialized", lambda self: 1 / 0)
        for number in range(3):
            named("append", number)
    assert [action for action, _ in bench.reports] == ["data.not_written"] * 3
    named.peer = make_bench(SqliteStore(path)).client()
    assert named.value == [0, 1, 2]
