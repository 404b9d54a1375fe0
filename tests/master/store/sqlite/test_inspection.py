"""A store is inspected beside the master that writes into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite import inspection
from tq.master.store.sqlite.store import SqliteStore


@pytest.mark.parametrize("between", ["kept_counts", "recounted"])
def test_what_a_master_ends_while_its_counts_are_compared_is_not_said_to_be_miscounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    file = tmp_path / "tq.db"
    store = SqliteStore(file, "os")
    store.begin()
    route = store.add_route("q", "m:f")
    rows = [(number, number.to_bytes(16, "big"), b"payload") for number in range(1, 4)]
    store.insert([NewTasks(route=route, state=int(StateNumber.READY), created=1, tasks=rows)])
    store.cancel_waiting([1], 2)
    store.commit()
    read: Callable[..., Any] = getattr(inspection, between)
    ended = []

    def meanwhile(db: Any) -> Any:
        store.begin()
        store.cancel_waiting([2 + len(ended)], 3)
        store.commit()
        ended.append(db)
        return read(db)

    monkeypatch.setattr(inspection, between, meanwhile)
    found = inspection.inspect(file)
    assert len(ended) == 1
    assert (found.wrong, found.whole) == ("", True)
    store.close()
