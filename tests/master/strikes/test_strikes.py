"""Strikes: how they are made, changed and ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tq.common.domain.model import Role
from tq.common.domain.strikes import STRIKES_MAX
from tq.common.errors import InvalidArgument
from tq.master.strikes.strikes import Strikes

from ..conftest import Bench, Peer

STRIKES = "get_strikes"


def admin(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def conditions(bench: Bench) -> list[str]:
    return [one.row.condition for one in bench.engine.part(Strikes).by_number.values()]


def test_a_strike_is_one_condition_however_it_is_written(bench: Bench) -> None:
    peer = admin(bench)
    peer.call(STRIKES, "add", "task=m:f tenant=a", "once", 60.0)
    peer.call(STRIKES, "add", " ( task = 'm:f' )  and tenant='a'", "twice", 120.0)
    [row] = peer.call(STRIKES, "list")
    assert (row["strike"], row["condition"], row["reason"]) == (1, "task=m:f and tenant=a", "twice")
    assert row["until"] == pytest.approx(bench.now.wall / 1000 + 120)
    peer.call(STRIKES, "remove", "task=m:f and tenant=a")
    assert peer.call(STRIKES, "list") == []


def test_a_strike_ends_by_itself_also_after_a_restart(bench: Bench, make_bench: Callable[..., Bench]) -> None:
    admin(bench).call(STRIKES, "add", "queue=q", "", 60.0)
    admin(bench).call(STRIKES, "add", "queue=r", "", None)
    bench.advance(30)
    after = Bench(bench.engine.store, now=bench.now)  # type: ignore[arg-type]
    assert conditions(after) == ["queue=q", "queue=r"]
    after.advance(29)
    assert conditions(after) == ["queue=q", "queue=r"]
    after.advance(2)
    assert conditions(after) == ["queue=r"]
    assert [action for action, _ in after.reports if action.startswith("strike")] == ["strike.ended"]
    assert conditions(Bench(bench.engine.store, now=after.now)) == ["queue=r"]  # type: ignore[arg-type]


def test_a_longer_time_replaces_the_moment_at_which_it_would_have_ended(bench: Bench) -> None:
    peer = admin(bench)
    peer.call(STRIKES, "add", "queue=q", "", 60.0)
    peer.call(STRIKES, "add", "queue=q", "", None)
    bench.advance(120)
    assert conditions(bench) == ["queue=q"]
    peer.call(STRIKES, "add", "queue=q", "", 60.0)
    bench.advance(61)
    assert conditions(bench) == []


def test_there_are_so_many_strikes_and_no_more_and_a_number_is_never_used_again(bench: Bench) -> None:
    peer = admin(bench)
    for number in range(STRIKES_MAX):
        peer.call(STRIKES, "add", f"queue=q{number}")
    with pytest.raises(InvalidArgument, match="100 strikes already; remove some"):
        peer.call(STRIKES, "add", "queue=one-more")
    peer.call(STRIKES, "remove", STRIKES_MAX)
    peer.call(STRIKES, "add", "queue=one-more")
    assert list(bench.engine.part(Strikes).by_number)[-1] == STRIKES_MAX + 1


def test_what_a_failed_transaction_added_is_no_strike(bench: Bench) -> None:
    from tq.common.errors import StoreError

    def fail() -> None:
        raise StoreError("disk I/O error")

    peer = admin(bench)
    peer.call(STRIKES, "add", "queue=kept")
    call = peer.ask(STRIKES, "add", "queue=lost")
    bench.step(commit=fail)
    bench.step()
    with pytest.raises(StoreError):
        peer.answer(call)
    assert conditions(bench) == ["queue=kept"]
