"""A peer's silence is counted while this process runs, and not while it is stopped."""

from __future__ import annotations

from tq.common.wire.silence import Silence


def test_silence_is_what_passed_since_the_last_sign_of_life() -> None:
    silence = Silence()
    silence.look_at(5.0)
    assert silence.seconds(5.0, received_at=2.0) == 3.0
    silence.look_at(8.0)
    assert silence.seconds(8.0, received_at=2.0) == 6.0
    assert silence.seconds(9.0, received_at=9.0) == 0.0


def test_a_look_that_comes_late_counts_only_until_it_was_due() -> None:
    silence = Silence()
    silence.look_at(5.0)
    assert silence.seconds(65.0, received_at=2.0) == 3.0
    silence.look_at(67.0)
    assert silence.seconds(67.0, received_at=2.0) == 5.0
    silence.look_at(70.0)
    assert silence.seconds(71.0, received_at=2.0) == 8.0


def test_a_sign_of_life_ends_what_was_left_out_before_it() -> None:
    silence = Silence()
    silence.look_at(5.0)
    assert silence.seconds(65.0, received_at=2.0) == 3.0
    silence.look_at(70.0)
    assert silence.seconds(70.0, received_at=66.0) == 4.0
    silence.look_at(72.0)
    assert silence.seconds(80.0, received_at=75.0) == 0.0


def test_who_does_not_say_when_it_looks_counts_everything() -> None:
    assert Silence().seconds(65.0, received_at=2.0) == 63.0
