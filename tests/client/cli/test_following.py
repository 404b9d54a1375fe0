"""What a person sees of a task that printed nothing."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tq.client.cli.following import print_log
from tq.common.domain.model import StateNumber


class OneAnswer:
    """An App whose master has this log."""

    def __init__(self, attempt: int, text: bytes) -> None:
        self.log = {"attempt": attempt, "start": 0, "text": text, "state": int(StateNumber.READY)}

    def call(self, *_: object) -> dict[str, Any]:
        return self.log


@pytest.mark.parametrize(
    ("attempt", "text", "terminal", "err"),
    [
        (0, b"", True, "it has not been started yet\n"),
        (2, b"", True, "attempt 2 has printed nothing\n"),
        (2, b"", False, ""),
        (2, b"hello\n", True, ""),
    ],
)
def test_silence_is_explained_on_a_terminal_and_kept_in_a_pipe(
    attempt: int,
    text: bytes,
    terminal: bool,
    err: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    app: Any = OneAnswer(attempt, text)
    print_log(app, b"", None, as_json=False)
    assert capsys.readouterr() == (text.decode(), err)
