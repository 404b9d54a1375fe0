"""What a start that fails says."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master import app as boot


def test_a_full_disk_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a write: without a name

    monkeypatch.setattr(boot, "_open", full)
    settings = MasterSettings(data=Path("state"))
    with pytest.raises(
        ConfigError, match="directory state: No space left on device; free some space there, or"
    ):
        boot.open_resources(boot.Opening(settings, None, lambda *_, **__: None))
