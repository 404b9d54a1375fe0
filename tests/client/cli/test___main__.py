"""``python -m tq.client.cli`` is ``tq``: programs that start it do not have to find the command."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_the_package_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tq", "--version"])
    monkeypatch.delitem(sys.modules, "tq.client.cli.__main__", raising=False)  # of a test that imports all
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("tq.client.cli.__main__", run_name="__main__")
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out.startswith("tq")
