"""For how long an owner is certain without another word of the database."""

from __future__ import annotations

import time

from tq.master.store.postgres.tenure import LEASE_SECONDS, MARGIN_SECONDS, Tenure, clock


def test_an_owner_is_certain_for_less_than_a_lease_after_its_last_confirmed_question() -> None:
    now = [100.0]
    tenure = Tenure(100.0, lambda: now[0])
    now[0] = 100 + LEASE_SECONDS - MARGIN_SECONDS - 0.01
    assert tenure.is_certain
    now[0] += 0.02
    assert not tenure.is_certain
    tenure.confirmed(
        now[0] - 1
    )  # the answer came a second after the question: that is when the lease may have begun
    assert tenure.is_certain
    assert tenure.unconfirmed_seconds == 1


def test_an_answer_that_was_overtaken_takes_nothing_away() -> None:
    tenure = Tenure(0.0, lambda: 10.0)
    tenure.confirmed(9.0)
    tenure.confirmed(2.0)
    assert tenure.unconfirmed_seconds == 1


def test_its_clock_counts_the_seconds_that_pass() -> None:
    before, began = clock(), time.monotonic()
    while time.monotonic() < began + 0.01:
        pass
    assert 0.009 <= clock() - before < 30
