"""``tq web`` before it starts: what is missing is said in words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner
from tq.client.cli import main
from tq.web import command

URL = "tq://127.0.0.1:5000"


def said(*words: str) -> str:
    done = CliRunner().invoke(main, ["web", *words], prog_name="tq")
    assert done.exit_code == 2, done.output
    return done.output


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the tests keeps its core dumps."""
    monkeypatch.setattr(command, "hide_process", lambda: None)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_is_installed", lambda name: name != "starlette")
    assert "the page needs starlette: pip install 'tq[web]'" in said("--url", URL)


def test_an_address_that_others_reach_is_refused_before_anything_is_started() -> None:
    assert "--tls-cert and --tls-key" in said("--url", URL, "--bind", "0.0.0.0:15672")


def test_the_command_itself_needs_no_web_server() -> None:
    program = "import sys, tq.web.command; print([name for name in sys.modules if name in ('starlette', 'uvicorn', 'jinja2')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
