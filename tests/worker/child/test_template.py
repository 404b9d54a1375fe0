"""What the process that children are forked from refuses to import."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.worker.child.loading import BrokenCode
from tq.worker.pools.processes import Preloaded

from ..pools.test_process import SECONDS

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="children are forked on Linux alone")


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (None, ConfigError, "there is no module 'broken_one'"),
        ("raise RuntimeError('its own')", BrokenCode, "its own"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='own', daemon=True).start()",
            ConfigError,
            "starts the thread 'own'.*on_child_start",
        ),
        ("import socket\nkept = socket.socket()", ConfigError, "opens a connection.*@app.resource"),
    ],
)
def test_what_a_fork_would_break_is_refused_at_the_start(
    code: str | None, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code is not None:
        (tmp_path / "broken_one.py").write_text(code)
    folders = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))

    async def run() -> None:
        template = Preloaded(["broken_one"], lambda _, **fields: None)
        with pytest.raises(error, match=words):
            await asyncio.wait_for(template.load(), SECONDS)
        template.close()

    asyncio.run(run())
