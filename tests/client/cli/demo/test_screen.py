"""What the demo shows is text, and colour where there is a terminal."""

from __future__ import annotations

import pytest
from tq.client.cli.demo.screen import DemoScreen


def test_a_coloured_line_is_the_line_alone_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    DemoScreen(quiet=False).say("killed worker-a [SIGKILL] at 25%, started it again", "yellow")
    assert capsys.readouterr().out == "killed worker-a [SIGKILL] at 25%, started it again\n"


def test_a_line_has_its_colour_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    DemoScreen(quiet=False).say("killed worker-a", "yellow")
    assert capsys.readouterr().out == "\x1b[33mkilled worker-a\x1b[0m\n"
