"""``tq strike``: what it prints, and what it refuses before it asks a master."""

from __future__ import annotations

import time
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tq.client.cli import main
from tq.client.cli.strikes import _cells

ROW: dict[str, Any] = {
    "strike": 3, "condition": "tenant=acme", "reason": "they block us", "key": "ab12", "lanes": 2, "waiting": 1_200,
}  # fmt: skip


def tq(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "x" * 32})


def test_a_strike_is_one_line_with_what_it_holds_back_and_for_how_long() -> None:
    now = time.time()
    cells = _cells({**ROW, "since": now - 300, "until": now + 3_300.5})
    assert cells == (3, "tenant=acme", "1,200", "5 min", "55 min", "ab12", "they block us")
    assert _cells({**ROW, "since": now - 300, "until": None})[4] == ""
    assert _cells({**ROW, "since": now, "until": None, "comparing": True})[2] == "1,200 so far"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            ("strike", "add", "args.to=x"),
            "a strike does not know 'args.to'; it can be on queue, task, tenant, limit.NAME",
        ),
        (("strike", "add", "task=m:f", "--for", "soon"), "--for 'soon': write 30s, 10min, 2h or 7d"),
        (("strike", "add", "task=m:f", "--for", "0s"), "--for 0s: longer than 0 and at most 3660d"),
        (("pause", "q", "--for", "4000d"), "--for 4000d: longer than 0 and at most 3660d"),
        (("pause", "q", "--for", "1y"), "--for '1y': write 30s, 10min, 2h or 7d"),
    ],
)
def test_what_cannot_be_is_refused_before_a_master_is_asked(given: tuple[str, ...], why: str) -> None:
    done = tq(*given)
    assert done.exit_code != 0
    assert why in done.output
