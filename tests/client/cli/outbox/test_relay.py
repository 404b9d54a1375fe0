"""The relay: each committed row is accepted once, whatever dies when; what cannot go is set aside or waits, and holds up no other row."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tq.client.cli.outbox import relay as module
from tq.client.cli.outbox.database import DatabaseLost, OutboxDatabase
from tq.client.cli.outbox.relay import (
    CLAIM_SECONDS,
    FULL_SECONDS,
    NEEDED_SECONDS,
    Judged,
    OutboxRelay,
    RowFate,
    fate_of,
)
from tq.client.outbox.outbox import DatabaseOutbox
from tq.common.contract.outbox import OutboxSubmit
from tq.common.errors import (
    Forbidden,
    Full,
    InvalidArgument,
    ProtocolError,
    QuotaExceeded,
    Rejected,
    RemoteError,
    StoreFull,
    TaskConflict,
    TqError,
    UnknownBlob,
    Unreachable,
    WrongShard,
)

from .conftest import Program, new_row, postgres_program, sqlite_program
from .masters import MasterOfTests, Masters


class Killed(BaseException):
    """As kill -9: nothing is done after it."""


def relay_of(database: OutboxDatabase, masters: Masters, **more: Any) -> OutboxRelay:
    return OutboxRelay(database, masters.hands(), masters.clock, batch=more.pop("batch", 100), **more)


def run_dry(relay: OutboxRelay) -> None:
    while relay.step():
        pass


def test_a_row_is_handed_over_with_its_id_and_deleted_when_the_master_has_forgotten_it(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    ids = program.insert(new_row(), new_row())
    relay = relay_of(database, masters)
    run_dry(relay)
    assert masters.accepted == dict.fromkeys(ids, 1)
    assert all(masters.receipts[id] for id in ids), "forgotten, once no row is left"
    assert database.counts() == (0, None, 0, 0)
    assert (relay.totals.sent, relay.totals.deleted, relay.totals.refused) == (2, 2, 0)


def test_sent_rows_are_kept_as_long_as_they_are_asked_to_be(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    [id] = program.insert(new_row())
    relay = relay_of(database, masters, keep_seconds=60.0)
    run_dry(relay)
    assert database.counts().sent == 1
    assert masters.receipts == {id: None}, "a row that is kept may be handed over again"
    assert database.retry(None, sent=True) == 1
    run_dry(relay)
    assert masters.accepted[id] == 1
    restored = relay.database, Masters()  # from a backup that knows nothing of it
    database.retry(None, sent=True)
    run_dry(relay_of(*restored))
    assert restored[1].accepted == {id: 1}


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (InvalidArgument("x"), RowFate.REFUSED),
        (Forbidden("x"), RowFate.REFUSED),
        (TaskConflict("x"), RowFate.REFUSED),
        (UnknownBlob("x"), RowFate.REFUSED),
        (WrongShard("x", 0, 1), RowFate.REFUSED),
        (RemoteError("x"), RowFate.REFUSED),
        (ProtocolError("x"), RowFate.REFUSED),
        (Full("x"), RowFate.FULL),
        (QuotaExceeded("x"), RowFate.FULL),
        (Unreachable("x"), RowFate.UNKNOWN),
        (StoreFull("x"), RowFate.UNKNOWN),
        (Rejected("x"), RowFate.UNKNOWN),
    ],
)
def test_what_an_error_says_of_a_row(error: TqError, fate: RowFate) -> None:
    assert fate_of(error) is fate


def test_a_row_of_a_program_that_did_not_know_the_shards_says_what_to_do() -> None:
    judged = Judged(
        cast(Any, None), RowFate.REFUSED, WrongShard("the task is in shard 0, and shard 1 was asked", 0, 1)
    )
    assert judged.reason.startswith("WrongShard: the task is in shard 0, and shard 1 was asked; ")
    assert "app.cluster_id()" in judged.reason


def test_a_refused_row_is_set_aside_with_its_reason_and_holds_up_no_other(
    program: Program, database: OutboxDatabase
) -> None:
    masters, reported = Masters(), list[Judged]()
    bad, good = program.insert(new_row("payroll"), new_row("mail"))
    masters.refusals[bad] = Forbidden("this key may use the queues mail, not 'payroll'")
    run_dry(relay_of(database, masters, report=reported.append))
    assert masters.accepted == {good: 1}
    [row] = database.refused(10)
    assert (row.id, row.reason) == (bad, "Forbidden: this key may use the queues mail, not 'payroll'")
    assert [one.row.id for one in reported] == [bad]
    del masters.refusals[bad]
    assert database.retry([bad], sent=False) == 1
    run_dry(relay_of(database, masters))
    assert masters.accepted == {good: 1, bad: 1}


def test_rows_that_no_client_has_written_are_set_aside(program: Program, database: OutboxDatabase) -> None:
    masters = Masters()
    elsewhere = OutboxSubmit("admin", "m:f", {}, []).to_bytes()
    program.insert(
        new_row(body=b"\xc1"), new_row(body=b""), new_row(body=b"\x91\x63"), new_row(body=elsewhere)
    )
    [good] = program.insert(new_row())
    run_dry(relay_of(database, masters))
    assert masters.accepted == {good: 1}
    reasons = [row.reason for row in reversed(database.refused(10))]
    assert "the row is damaged" in reasons[0]
    assert "the row is damaged" in reasons[1]
    assert "has version 99, and here 1 is the latest that is known" in reasons[2]
    assert "the columns of the row say m:f in queue q, and its body says otherwise" in reasons[3]


DEPTH_READ = 1_024  # of lists in lists, by msgpack


@pytest.mark.parametrize(
    "body",
    [
        b"\x93\x01\xa1q\xa3m:f",
        b"\x95\x01\xa1q\xa3m:f\x80" + b"\x91" * (DEPTH_READ - 1) + b"\xc0",
        b"\x99\x01\xa1q\xa3m:f\x80" + b"\xc0" * 5,
    ],
    ids=["its end is missing", "a list in lists that only a relay can read", "it has more than a submit"],
)
def test_a_row_of_another_shape_is_set_aside_and_never_sent(
    program: Program, database: OutboxDatabase, body: bytes
) -> None:
    masters = Masters()
    [bad] = program.insert(new_row(body=body))
    [good] = program.insert(new_row())
    masters.refusals[bad] = ProtocolError("the peer sent a row of an unknown form")
    relay = relay_of(database, masters)
    run_dry(relay)
    assert masters.accepted == {good: 1}
    assert [row.id for row in database.refused(9)] == [bad]
    assert "ProtocolError: the peer sent a row" not in database.refused(9)[0].reason, (
        "the master was not asked"
    )


def test_a_full_queue_keeps_its_rows_in_order_and_those_of_others_go_on(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    first, other, second = program.insert(new_row("full"), new_row("free"), new_row("full"))
    masters.refusals[first] = Full("queue full is full: 1 of at most 1 tasks wait in it; try again later")
    masters.refusals[second] = masters.refusals[first]
    relay = relay_of(database, masters)
    run_dry(relay)
    assert masters.accepted == {other: 1}
    assert relay.put_off
    assert list(relay.totals.full) == ["full"]
    masters.refusals.clear()
    run_dry(relay)
    assert masters.accepted == {other: 1}, "not tried again at once"
    masters.now += FULL_SECONDS
    run_dry(relay)
    assert list(masters.rows) == [other, first, second]
    assert not relay.put_off
    assert not relay.totals.full


def test_a_row_that_needs_a_task_which_comes_later_waits_a_minute_for_it(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    needs = OutboxSubmit("q", "m:f", {}, [[b"1" * 16, b"\x92\x90\x80", [0, [b"2" * 16]]]]).to_bytes()
    early, never = program.insert(new_row(body=needs), new_row(body=needs))
    masters.refusals |= dict.fromkeys(
        (early, never), InvalidArgument("no task has the id …, which is needed")
    )
    relay = relay_of(database, masters)
    run_dry(relay)
    assert database.counts().refused == 0
    del masters.refusals[early]
    masters.now += FULL_SECONDS
    run_dry(relay)
    assert masters.accepted == {early: 1}
    masters.now += NEEDED_SECONDS
    run_dry(relay)
    assert [row.id for row in database.refused(9)] == [never]


def test_what_the_master_could_not_do_is_tried_again_and_what_it_has_done_is_noted(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    first, second = program.insert(new_row(), new_row())
    masters.refusals[second] = StoreFull("the disk is full")
    relay = relay_of(database, masters)
    with pytest.raises(StoreFull):
        relay.step()
    assert database.counts()[0] == 1
    masters.refusals.clear()
    run_dry(relay)
    assert masters.accepted == {first: 1, second: 1}


class SilentMaster(MasterOfTests):
    def hand_over(self, id: bytes, row: list[Any]) -> Future[Any]:
        return Future()


def test_an_answer_that_does_not_come_is_given_up_and_its_call_is_dropped(
    program: Program, database: OutboxDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLAIM_SECONDS", 0.05)
    masters = Masters()
    program.insert(new_row())
    silent = SilentMaster(masters, lambda point: None)
    with pytest.raises(TimeoutError):
        OutboxRelay(database, silent, masters.clock, batch=10).step()
    assert silent.dropped == 1, "it must not arrive when the row is another relay's"
    assert database.counts().waiting == 1
    run_dry(relay_of(database, masters))
    assert masters.accepted.total() == 1


def test_a_relay_that_was_stopped_behind_its_claim_hands_nothing_over(
    program: Program, database: OutboxDatabase
) -> None:
    masters = Masters()
    program.insert(new_row())
    claim = database.claim

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(database, name)

        def claim(self, *args: Any) -> Any:
            rows = claim(*args)
            masters.now += CLAIM_SECONDS
            return rows

    relay = relay_of(Slow(), masters)  # type: ignore[arg-type]
    assert not relay.step()
    assert not masters.accepted
    assert database.counts().waiting == 1


class Story:
    """Relays over one database and one master, and what happens to them at each point, as hypothesis draws it."""

    def __init__(self, program: Program, draw: Callable[[int], int]) -> None:
        self.program, self.draw, self.masters = program, draw, Masters()
        self.depth = 0

    def relay(self) -> None:
        """One relay, for a step or two, or until it dies."""
        database = self.program.open()
        self.depth += 1

        def at(point: str) -> None:
            match self.draw(7):
                case 0:
                    raise Killed
                case 1:
                    # The server ends its connection: what it has claimed is free, and it does not know yet.
                    database.close()
                case 2 if self.depth < 3:
                    # It is stopped, and others are at work meanwhile.
                    self.relay()
                case 3:
                    self.masters.now += (0.5, 59.0, 100.0)[self.draw(3)]

        relay = OutboxRelay(database, self.masters.hands(at), self.masters.clock, batch=1 + self.draw(3))
        with contextlib.suppress(Killed, TqError, Exception):
            for _ in range(1 + self.draw(3)):
                relay.step()
        self.depth -= 1
        with contextlib.suppress(Exception):
            database.close()  # as the system does for who has died

    def program_writes(self) -> list[bytes]:
        return self.program.insert(*[new_row() for _ in range(1 + self.draw(3))])

    def program_rolls_back(self) -> None:
        connection = self.program.connect()
        DatabaseOutbox(connection, self.program.schema).write([new_row()])
        connection.rollback()
        connection.close()

    def play(self) -> None:
        committed: list[bytes] = []
        for _ in range(2 + self.draw(5)):
            match self.draw(4):
                case 0:
                    committed += self.program_writes()
                case 1:
                    self.program_rolls_back()
                case _:
                    self.relay()
        database = self.program.open()
        last = OutboxRelay(database, self.masters.hands(), self.masters.clock, batch=10)
        run_dry(last)
        assert self.masters.accepted == dict.fromkeys(committed, 1)
        assert database.counts() == (0, None, 0, 0)
        assert all(until is not None for until in self.masters.receipts.values()), (
            "the master keeps none for good"
        )
        database.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_committed_row_is_accepted_once_whatever_happens_to_relays(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = sqlite_program(Path(folder) / "app.db")
        Story(program, lambda below: data.draw(st.integers(0, below - 1))).play()


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_same_in_postgresql(postgres_address: str, data: st.DataObject) -> None:
    Story(postgres_program(postgres_address), lambda below: data.draw(st.integers(0, below - 1))).play()


def test_a_lost_database_is_said(program: Program, database: OutboxDatabase) -> None:
    program.insert(new_row())
    other = program.open()
    other.close()
    with pytest.raises((DatabaseLost, OSError, ValueError)):
        relay_of(other, Masters()).step()


def test_a_relay_that_was_stopped_while_others_finished_its_row_changes_nothing_when_it_goes_on(
    program: Program,
) -> None:
    masters = Masters()
    [id] = program.insert(new_row())
    stopped, other = program.open(), program.open()

    def at(point: str) -> None:
        if point == "before it is handed over":
            stopped.close()  # by the server, which waits for no one
            while other.counts() != (0, None, 0, 0):  # the server takes a moment to release the row
                run_dry(relay_of(other, masters))

    with pytest.raises((DatabaseLost, OSError, ValueError)):
        OutboxRelay(stopped, masters.hands(at), masters.clock, batch=10).step()
    assert masters.accepted == {id: 1}
    other.close()
