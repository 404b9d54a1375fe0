"""A master whose state another one takes over while it still starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.runtime.config import MasterSettings
from tq.master import app as boot
from tq.master import shard_resources
from tq.master.store.interface.store import Displaced
from tq.master.store.sqlite.store import SqliteStore


@pytest.mark.parametrize("commit", [1, 2])
def test_it_says_so_and_not_that_its_store_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: int
) -> None:
    """Or its program would end, and not stand by."""
    commits: list[None] = []

    class Lost(SqliteStore):
        def commit(self) -> None:
            commits.append(None)
            if len(commits) == commit:
                raise Displaced("another has taken over")
            super().commit()

    monkeypatch.setattr(shard_resources, "SqliteStore", Lost)

    with pytest.raises(Displaced):
        boot.open_resources(boot.Opening(MasterSettings(data=tmp_path / "data"), None, lambda *_, **__: None))
