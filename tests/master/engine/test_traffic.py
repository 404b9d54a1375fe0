"""How fast a key's messages are taken in, whose turn it is, and who goes that does not read. No sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tq.common.errors import QuotaExceeded
from tq.common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, Kind, encode_frame
from tq.master.engine.accounts import KEY_BYTES_MAX, LIMITS, Account, Accounts, Resource
from tq.master.engine.inbox import Inbox
from tq.master.engine.session import Call
from tq.master.engine.traffic import (
    ARRIVING_BYTES_MAX,
    FRAMES_A_TURN,
    FRAMES_AT_ONCE,
    LONG_BYTES,
    MIB,
    WAITING_BYTES_MAX,
    Traffic,
)
from tq.master.engine.work import ROW_BYTES, ROWS_MAX, Work
from tq.master.net.inbound import Inbound
from tq.master.net.unread import CONNECTION_BYTES_MAX, UnreadAnswers

FRAME_BYTES_MAX = 16 * MIB
PING = encode_frame(Kind.PING, b"")


class Peer:
    """A connection: what it took, and whether it is read from."""

    def __init__(self, account: Account | None) -> None:
        self.taken: list[int] = []
        self.is_read, self.failed, self.reason = True, "", ""
        self.unsent = 0
        self.inbound = Inbound(self, self._understand)
        if account is not None:
            self.inbound.admit(account, FRAME_BYTES_MAX, self._understand)

    def _understand(self, kind: int, body: memoryview) -> None:
        self.taken.append(len(body))

    def hold_up(self, traffic: Traffic) -> None:
        self.is_read = False

    def resume(self) -> None:
        self.is_read = True

    def fail(self, error: Exception) -> None:
        self.failed = str(error)

    def unsent_bytes(self) -> int:
        return self.unsent

    def cut_off(self, reason: str) -> None:
        self.reason = reason


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    accounts = Accounts()
    yield accounts
    assert not any(accounts.total.held), "something was not given back"


def opened(accounts: Accounts, key: str, count: int = 1) -> list[Peer]:
    return [Peer(accounts.of(key)) for _ in range(count)]


# turns


def test_a_key_has_so_many_messages_taken_in_a_turn_and_the_rest_in_the_next(accounts: Accounts) -> None:
    [peer] = opened(accounts, "a")
    peer.inbound.add(PING * (2 * FRAMES_A_TURN))
    assert FRAMES_A_TURN <= len(peer.taken) < FRAMES_A_TURN + FRAMES_AT_ONCE
    assert not peer.is_read
    for _ in range(2):
        accounts.of("a").traffic.next_turn()
    assert len(peer.taken) == 2 * FRAMES_A_TURN
    assert peer.is_read
    peer.inbound.close()


def test_connections_of_a_key_share_its_turn_and_those_of_another_have_their_own(accounts: Accounts) -> None:
    first, second = opened(accounts, "a", 2)
    [other] = opened(accounts, "b")
    first.inbound.add(PING * (3 * FRAMES_A_TURN))
    second.inbound.add(PING)
    other.inbound.add(PING)
    assert (second.taken, second.is_read) == ([], False)
    assert other.taken == [0]
    for _ in range(4):
        accounts.of("a").traffic.next_turn()
    assert second.taken == [0]
    for peer in (first, second, other):
        peer.inbound.close()


def test_a_key_whose_calls_fill_the_inbox_is_not_read_from_until_there_is_room(accounts: Accounts) -> None:
    [peer] = opened(accounts, "a")
    traffic = accounts.of("a").traffic
    traffic.waiting_bytes = WAITING_BYTES_MAX
    peer.inbound.add(PING)
    traffic.next_turn()
    assert (peer.taken, peer.is_read, traffic.waits_for_turn) == ([], False, False)
    traffic.waiting_bytes -= 1
    traffic.next_turn()
    assert (peer.taken, peer.is_read) == ([0], True)


def test_what_fails_when_a_connection_is_resumed_fails_that_connection_and_others_are_resumed(
    accounts: Accounts,
) -> None:
    first, second = opened(accounts, "a", 2)
    traffic = accounts.of("a").traffic
    traffic.waiting_bytes = WAITING_BYTES_MAX
    first.inbound.add(b"\0\0\0\0\xff")
    second.inbound.add(PING)
    traffic.waiting_bytes = 0
    traffic.next_turn()
    assert first.failed == "frame kind 255 is unknown; the peer does not speak tq's protocol"
    assert second.taken == [0]
    for peer in (first, second):
        peer.inbound.close()


# long messages


def long_frame(size: int) -> bytes:
    return encode_frame(Kind.CALL, b"x" * size, FRAME_BYTES_MAX)


def test_long_messages_of_a_key_arrive_a_few_at_a_time(accounts: Accounts) -> None:
    size = 15 * MIB
    at_once = ARRIVING_BYTES_MAX // size
    peers = opened(accounts, "a", at_once + 2)
    frame = long_frame(size)
    for peer in peers:
        peer.inbound.add(frame[: LONG_BYTES + 1])
    assert [peer.is_read for peer in peers] == [True] * at_once + [False] * 2
    peers[0].inbound.add(frame[LONG_BYTES + 1 :])
    assert peers[0].taken == [size]
    assert [peer.is_read for peer in peers[at_once:]] == [True, False]
    peers[1].inbound.close()  # one that does not come to its end
    assert peers[-1].is_read
    for peer in peers:
        peer.inbound.close()


def test_a_message_longer_than_all_room_arrives_alone(accounts: Accounts) -> None:
    [peer] = opened(accounts, "a")
    assert accounts.of("a").traffic.grant(peer.inbound, 2 * ARRIVING_BYTES_MAX)
    accounts.of("a").traffic.arrived(2 * ARRIVING_BYTES_MAX)


def test_what_has_come_of_messages_is_counted_and_has_a_limit(accounts: Accounts) -> None:
    [peer] = opened(accounts, "a")
    account = accounts.of("a")
    frame = long_frame(3 * MIB)
    peer.inbound.add(frame[:MIB])
    assert account.held[Resource.INCOMING_BYTES] == MIB
    account.note(Resource.INCOMING_BYTES, LIMITS[Resource.INCOMING_BYTES].key - 2 * MIB)
    peer.inbound.add(frame[MIB : 2 * MIB])
    with pytest.raises(QuotaExceeded, match="bytes of messages that have not arrived whole"):
        peer.inbound.add(frame[2 * MIB : 2 * MIB + 1])
    account.give(Resource.INCOMING_BYTES, LIMITS[Resource.INCOMING_BYTES].key - 2 * MIB)
    peer.inbound.close()


def test_the_rest_of_a_message_is_taken_of_a_key_that_is_beyond_its_memory(accounts: Accounts) -> None:
    [peer] = opened(accounts, "a")
    account = accounts.of("a")
    frame = long_frame(MIB)
    peer.inbound.add(frame[:-1])
    # As by answers that others of its programs do not read, which are counted even beyond the limit.
    account.note(Resource.UNREAD_BYTES, KEY_BYTES_MAX + MIB)
    peer.inbound.add(frame[-1:])
    assert len(peer.taken) == 1
    assert account.held[Resource.INCOMING_BYTES] == 0
    account.give(Resource.UNREAD_BYTES, KEY_BYTES_MAX + MIB)
    peer.inbound.close()


def test_an_unauthenticated_connection_has_its_few_kilobytes_and_no_account() -> None:
    peer = Peer(None)
    peer.inbound.add(encode_frame(Kind.HELLO, b"x" * HANDSHAKE_FRAME_BYTES_MAX)[:-1])
    peer.inbound.add(b"x")
    assert peer.taken == [HANDSHAKE_FRAME_BYTES_MAX]


# the inbox


class Asker:
    def __init__(self, account: Account) -> None:
        self.account = account


def test_keys_take_turns_in_the_inbox_and_each_has_its_own_order() -> None:
    accounts, inbox = Accounts(), Inbox()
    calls = {name: [] for name in "abc"}  # type: dict[str, list[Call]]
    for name, count in (("a", 4), ("b", 1), ("c", 2)):
        session: Any = Asker(accounts.of(name))
        for number in range(count):
            calls[name].append(Call(session, number, lambda call: None, [], 100))
            inbox.add(calls[name][-1])
    a, b, c = calls.values()
    assert accounts.of("a").traffic.waiting_bytes == 400
    assert sorted(map(id, inbox)) == sorted(map(id, [*a, *b, *c]))
    taken = []
    while inbox:
        taken.append(inbox.pop())
    assert taken == [a[0], b[0], c[0], a[1], c[1], a[2], a[3]]
    assert accounts.of("a").traffic.waiting_bytes == 0


# work


@pytest.mark.parametrize(
    "answer",
    [
        [{}] * ROWS_MAX,
        bytes(ROWS_MAX * ROW_BYTES),
        {"rows": [[]] * ROWS_MAX},
        {"payload": bytes(ROWS_MAX * ROW_BYTES)},
        [{"tasks": ["a" * ROW_BYTES] * ROWS_MAX}],
    ],
    ids=["rows", "bytes", "rows in a map", "bytes in a map", "texts in a row"],
)
def test_a_large_answer_is_all_the_work_of_a_transaction(answer: Any) -> None:
    work = Work()
    work.answered(None)
    assert work.is_left
    work.answered(answer)
    assert not work.is_left
    work.begin()
    assert work.is_left


# unread answers


def test_who_has_not_read_for_longest_goes_when_a_key_does_not_read_too_much(accounts: Accounts) -> None:
    unread, account = UnreadAnswers(accounts.total), accounts.of("a")
    peers = [Peer(account) for _ in range(3)]
    [other] = opened(accounts, "b")

    def cut(peer: Peer) -> None:
        peer.reason = "cut off"
        unread.read(peer)

    for peer in (*peers, other):
        peer.cut_off = lambda reason, peer=peer: cut(peer)  # type: ignore[method-assign]
        peer.unsent = 30 * MIB
        unread.look(peer, accounts.of("b") if peer is other else account)
    assert [peer.reason for peer in (*peers, other)] == ["cut off", "", "", ""]
    for peer in (*peers, other):
        unread.read(peer)


def test_who_reads_what_waited_is_as_one_that_never_waited(accounts: Accounts) -> None:
    unread, [peer] = UnreadAnswers(accounts.total), opened(accounts, "a")
    for size in (5, 50, 20):
        peer.unsent = size
        unread.look(peer, accounts.of("a"))
        assert accounts.of("a").held[Resource.UNREAD_BYTES] == size
    unread.read(peer)
    unread.read(peer)


def test_one_connection_does_not_have_more_waiting_than_its_own_limit(accounts: Accounts) -> None:
    unread, [peer] = UnreadAnswers(accounts.total), opened(accounts, "a")
    peer.unsent = CONNECTION_BYTES_MAX + 1
    unread.look(peer, accounts.of("a"))
    assert peer.reason
    unread.read(peer)
