"""Whose turn it is to serve, before a master opens its store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master import waiting_turn
from tq.master.waiting_turn import TurnCame, wait_for_turn


def test_a_master_with_a_file_serves_at_once(tmp_path: Path) -> None:
    assert wait_for_turn(MasterSettings(data=tmp_path), cast(Any, None), cast(Any, None))


def test_a_database_that_does_not_answer_is_an_error_before_anything_is_opened(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    settings = MasterSettings(data=tmp_path / "data", store=f"postgresql://u@/x?host={tmp_path}")
    with pytest.raises(ConfigError, match="cannot"):
        wait_for_turn(settings, cast(Any, None), cast(Any, None))
    assert not (tmp_path / "data").exists()


def test_a_master_that_has_had_its_turn_waits_for_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a database that fails over would end all masters that are about to take over."""
    pytest.importorskip("psycopg")

    async def stood(*_: Any) -> bool:
        return True

    monkeypatch.setattr(waiting_turn, "_stand_by", stood)
    settings = MasterSettings(data=tmp_path / "data", store=f"postgresql://u@/x?host={tmp_path}")
    found = wait_for_turn(settings, cast(Any, None), cast(Any, None), again=True)
    assert found is TurnCame.STOOD_BY
