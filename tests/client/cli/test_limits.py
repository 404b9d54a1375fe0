"""``tq limits``: what it prints, and what it refuses before it asks a master."""

from __future__ import annotations

import time
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tq.client.cli import main
from tq.client.cli.limits import _cells, _words

ROW: dict[str, Any] = {
    "name": "smtp", "max_running": 3, "rate": "100/min", "burst": 10, "set": {}, "since": 0.0,
    "declared": {"max_running": 3, "rate": None, "burst": None}, "key": "k", "programs": 2, "differing": 0,
    "keys": 2, "running": 3, "waiting": 1_200,
}  # fmt: skip


def tq(*arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["limits", *arguments], env={"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "x" * 32}
    )


def test_a_limit_is_one_line_with_what_it_holds_back() -> None:
    assert _cells(ROW) == ("smtp", "3", "100/min", "10", "3", "1,200", "2", "")
    changed = {**ROW, "since": time.time() - 300, "set": {"rate": "1/s"}, "differing": 1, "max_running": None}
    assert _cells(changed) == (
        "smtp",
        "",
        "100/min",
        "10",
        "3",
        "1,200",
        "2",
        "set 5 min ago, programs that declare it otherwise: 1",
    )


def test_what_holds_is_said_in_words() -> None:
    assert _words(ROW) == "at most 3 at once, 100/min (up to 10 together)"
    assert _words(ROW["declared"]) == "at most 3 at once"
    assert _words({"max_running": None, "rate": None, "burst": None}) == "no bound"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((), "say what holds from now on: --max-running 5"),
        (("--reset", "--rate", "1/s"), "or --reset: as the code declares it"),
        (("--max-running", "many"), "--max-running is a whole number, or none; not 'many'"),
        (("--burst", "-1"), "--burst is a whole number, or none"),
    ],
)
def test_a_change_that_says_nothing_is_refused_before_a_master_is_asked(
    given: tuple[str, ...], why: str
) -> None:
    done = tq("set", "smtp", *given)
    assert done.exit_code != 0
    assert why in " ".join(done.output.split())
