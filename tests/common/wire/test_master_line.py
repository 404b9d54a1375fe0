"""The order in which the masters of a cluster are tried, without a socket."""

from __future__ import annotations

from tq.common.wire.address import Address
from tq.common.wire.master_line import NAMED_MAX, MasterLine

A, B, C, NEW = (Address(host, 5000) for host in ("a", "b", "c", "new"))


def test_a_round_tries_each_once_and_ends() -> None:
    line = MasterLine([A, B, C, A])
    round, tried = line.round(), []
    while (address := round.next()) is not None:
        tried.append(address)
        round.failed(address)
    assert tried == [A, B, C]
    assert line.order == (A, B, C)


def test_the_one_that_serves_is_tried_first_when_it_is_lost() -> None:
    line = MasterLine([A, B, C])
    round = line.round()
    round.failed(A if round.next() == A else B)
    assert round.next() == B
    round.serves(B)
    assert line.order == (B, C, A)
    assert line.round().next() == B


def test_an_owner_that_is_named_is_next() -> None:
    line = MasterLine([A, B, C])
    round = line.round()
    assert round.next() == A
    round.stands_by(A, C)
    assert round.next() == C
    round.serves(C)
    assert line.order == (C, B, A)


def test_an_owner_that_was_not_given_is_tried_and_forgotten_when_it_fails() -> None:
    line = MasterLine([A])
    round = line.round()
    round.stands_by(A if round.next() == A else B, NEW)
    assert round.next() == NEW
    round.failed(NEW)
    assert round.next() is None
    assert line.order == (A,)


def test_one_that_stands_by_and_names_none_is_passed_over() -> None:
    line = MasterLine([A, B])
    round = line.round()
    round.stands_by(A if round.next() == A else B, None)
    assert round.next() == B


def test_an_owner_that_failed_in_this_round_is_tried_once_more_when_it_is_named() -> None:
    """It may just have taken over."""
    line = MasterLine([A, B])
    round = line.round()
    assert round.next() == A
    round.failed(A)
    assert round.next() == B
    round.stands_by(B, A)
    assert round.next() == A


def test_two_that_name_each_other_are_not_believed_without_end() -> None:
    line = MasterLine([A, B])
    round, tries = line.round(), 0
    while (address := round.next()) is not None:
        tries += 1
        round.stands_by(address, B if address == A else A)
    assert tries == NAMED_MAX + 1


def test_a_master_that_names_itself_is_passed_over() -> None:
    line = MasterLine([A, B])
    round = line.round()
    round.stands_by(A if round.next() == A else B, A)
    assert round.next() == B
