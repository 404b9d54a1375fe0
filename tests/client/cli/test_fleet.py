"""The workers of a cluster as people look at them."""

from __future__ import annotations

from typing import Any

from tq.client.cli.fleet import fleet

NOW = 1_000_000.0


def worker(host: str, state: str, ago: float = 1.0) -> dict[str, Any]:
    return {"host": host, "node": f"{host}-{ago}", "state": state, "last_seen": NOW - ago}


def test_the_living_come_first_by_what_they_do() -> None:
    rows = [
        worker("a", "absent"), worker("b", "reconnecting"), worker("d", "here"), worker("c", "here"),
        worker("e", "draining"),
    ]  # fmt: skip
    found = fleet(rows)
    assert [row["host"] for row in found.living] == ["c", "d", "e", "b"]
    assert [row["host"] for row in found.absent] == ["a"]


def test_a_day_of_restarts_is_one_line() -> None:
    absent = [worker("crow", "absent", 600 + number) for number in range(40)]
    words = fleet([*absent, worker("owl", "absent", 300)]).absent_in_words(NOW)
    assert words == "41 absent: crow (40), owl; last seen 5 min ago"


def test_hosts_are_listed_as_many_as_fit_a_sentence_and_none_says_nothing() -> None:
    words = fleet([worker(f"h{number}", "absent") for number in range(9)]).absent_in_words(NOW)
    assert words == "9 absent: h0, h1, h2 and 6 more; last seen 1.0 s ago"
    assert fleet([worker("crow", "here")]).absent_in_words(NOW) == ""
