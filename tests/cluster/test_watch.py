"""``tq-worker --watch`` with the real programs: new code is taken over, and broken code changes nothing."""

from __future__ import annotations

from pathlib import Path

import tq

from .conftest import WorkerFactory
from .programs import Master, eventually

CODE = "import tq\napp = tq.App()\n\n\n@app.task\ndef answer() -> str:\n    return {word!r}\n"


def test_new_code_is_taken_over_with_its_tasks_and_code_that_is_broken_is_logged_and_changes_nothing(
    master: Master, app: tq.App, worker_factory: WorkerFactory, home: Path
) -> None:
    file = home / "watched.py"
    file.write_text(CODE.format(word="first"))
    worker = worker_factory(2, tasks=file, options=("--watch",))
    before = worker.pid
    assert app.submit("watched:answer").result(timeout=20) == "first"
    file.write_text("def broken(:\n")
    eventually(lambda: "SyntaxError" in worker.log)
    assert app.submit("watched:answer").result(timeout=20) == "first"
    file.write_text(CODE.format(word="mended") + "\n\n@app.task\ndef more() -> int:\n    return 7\n")
    eventually(lambda: "code.loaded" in worker.log)
    assert app.submit("watched:more").result(timeout=20) == 7  # which its worker did not have before
    assert app.submit("watched:answer").result(timeout=20) == "mended"
    assert worker.pid == before
