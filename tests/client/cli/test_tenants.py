"""``tq tenants``: what it prints, and what it refuses before it asks a master."""

from __future__ import annotations

import time
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tq.client.cli import main
from tq.client.cli.tenants import _cells

ROW: dict[str, Any] = {
    "name": "acme",
    "weight": 3,
    "max_running": 20,
    "since": None,
    "running": 20,
    "waiting": 1_200,
    "held": 1_200,
}


def tq(*arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["tenants", *arguments], env={"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "x" * 32}
    )


def test_a_tenant_is_one_line_with_what_is_held_back() -> None:
    assert _cells(ROW) == ("acme", 3, "20", "20", "1,200", "1,200", "")
    plain = {**ROW, "name": "", "weight": 1, "max_running": None, "held": 0, "since": time.time() - 300}
    assert _cells(plain) == ("(none)", 1, "", "20", "1,200", "0", "set 5 min ago")


def test_of_a_cap_over_several_shards_the_note_says_where_it_is_and_what_it_lacks() -> None:
    divided = {**ROW, "over": 3, "shards_of": [], "stranded": 0}
    assert _cells(divided)[-1] == "divided over 3 shards: 6 or 7 in each"
    named = {**ROW, "over": 1, "shards_of": ["mail"], "stranded": 1_200, "uneven": True}
    assert _cells(named)[-1] == (
        "in the shard of mail; 1,200 wait in other shards: `tq why` on one of them says more; not the same in all shards: set it again"
    )


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("acme", (), "say what it may have: --weight 3"),
        ("acme", ("--weight", "0"), "weight of a tenant is a whole number from 1 to 1,000, not 0"),
        (
            "acme",
            ("--max-running", "-5"),
            "--max-running is a whole number, or none; not '-5'",
        ),
        ("acme", ("--max-running", "many"), "--max-running is a whole number, or none; not 'many'"),
        ("acme", ("--shards-of", "all", "--shards-of", "mail"), "--shards-of all stands alone"),
        ("x" * 300, ("--weight", "2"), "has 300 bytes; at most 256"),
        ("", ("--weight", "2"), "name a tenant"),
    ],
)
def test_what_means_nothing_is_refused_before_a_master_is_asked(
    name: str, given: tuple[str, ...], why: str
) -> None:
    done = tq("set", name, *given)
    assert done.exit_code != 0
    assert why in " ".join(done.output.split())
