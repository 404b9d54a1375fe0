"""Where the master is and who we are: from arguments and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

KEY = "a-secret-that-must-not-be-shown"


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("TQ_URL", "TQ_AUTHKEY", "TQ_AUTHKEY_FILE", "TQ_CONNECT_TIMEOUT", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_an_app_without_any_setting_says_the_lines_to_write_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = tq.App()
    assert repr(app) == "<tq.App of the master that is found>"
    monkeypatch.setattr("sys.argv", ["work/jobs.py"])
    with pytest.raises(tq.InvalidArgument, match=r"\./\.tq.*TQ_URL.*tq/url") as caught:
        app.submit("m:f")
    lines = [line.strip() for line in str(caught.value).splitlines() if line.startswith("    ")]
    assert lines == ["tq dev jobs.py", "app = tq.App('tq://host:5000', authkey=…)"]


def test_a_missing_key_is_reported_with_all_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_URL", "tq://localhost:1")
    with pytest.raises(
        tq.InvalidArgument,
        match=r"TQ_AUTHKEY, for a command with --authkey-file, in a program with tq.App\(url, authkey=…\)",
    ):
        tq.App().submit("m:f")


@pytest.mark.parametrize("url", ["http://host/", "host:port", "", "tq://host:99999"])
def test_an_address_that_is_none_is_refused_at_once_with_an_example(url: str) -> None:
    with pytest.raises(tq.InvalidArgument, match="host:5000"):
        tq.App(url)


def test_a_mistyped_token_is_reported_before_anything_is_sent() -> None:
    with pytest.raises(tq.InvalidArgument, match="mistyped"):
        tq.App("localhost:1", authkey="tq1.abc").submit("m:f")


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(tq.InvalidArgument, match="viewer"):
        tq.App("localhost", role="root")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "10"])
def test_a_connect_timeout_is_a_positive_number(seconds: float) -> None:
    with pytest.raises(tq.InvalidArgument, match="connect_timeout"):
        tq.App("localhost", connect_timeout=seconds)


def test_the_connect_timeout_of_the_environment_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_CONNECT_TIMEOUT", "soon")
    with pytest.raises(tq.InvalidArgument, match="TQ_CONNECT_TIMEOUT"):
        tq.App("localhost", authkey=KEY).submit("m:f")


def test_the_key_is_shown_nowhere() -> None:
    app = tq.App("tq://host:5000", authkey=KEY)
    assert repr(app) == "<tq.App tq://host:5000>"
    assert KEY not in repr(vars(app))
