"""The stock handshake, with the standard library's own other side, and the frames in pieces of any size."""

from __future__ import annotations

import hmac
import os
import struct
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Pipe, answer_challenge, deliver_challenge

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import ProtocolError, Rejected
from tq.master.gateway.handshake import (
    CHALLENGE,
    FAILURE,
    FRAME_BYTES_MAX,
    MODERN,
    UNAUTHENTICATED_FRAME_BYTES_MAX,
    WELCOME,
    FrameSplitter,
    Handshake,
    frame,
)

KEY = b"a key for stock clients"
MESSAGE = MODERN + b"r" * 40


@pytest.fixture
def handshake() -> Handshake:
    return Handshake(KEY, lambda size: b"r" * size)


def serve(handshake: Handshake, pipe: Connection) -> None:
    pipe.send_bytes(handshake.opening())
    try:
        while not handshake.done:
            answer = handshake.on_frame(pipe.recv_bytes())
            if answer is not None:
                pipe.send_bytes(answer)
    except Rejected:
        pipe.send_bytes(FAILURE)


@pytest.mark.parametrize("key", [KEY, b"another key"])
def test_the_standard_librarys_own_client_comes_in_with_the_key_only(key: bytes) -> None:
    ours, theirs = Pipe()
    handshake = Handshake(KEY, os.urandom)
    with ours, theirs:
        thread = threading.Thread(target=serve, args=(handshake, ours))
        thread.start()
        if key == KEY:
            answer_challenge(theirs, key)
            deliver_challenge(theirs, key)
        else:
            with pytest.raises(AuthenticationError):
                answer_challenge(theirs, key)
        thread.join()
    assert handshake.done == (key == KEY)


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        b"x" * 16,
        b"x" * 32,
        MODERN,
        MODERN + b"x" * 32,
        b"{md5}" + hmac.digest(KEY, MESSAGE, "md5"),
        hmac.digest(KEY, MESSAGE, "sha256"),
        hmac.digest(KEY, b"r" * 40, "md5"),
    ],
)
def test_no_other_proof_is_one(handshake: Handshake, proof: bytes) -> None:
    with pytest.raises(Rejected):
        handshake.on_frame(proof)
    assert not handshake.proven


@pytest.mark.parametrize(
    ("challenge", "digest"),
    [(b"c" * 20, ""), (MODERN + b"c" * 40, "sha256")],
)
def test_our_proof_is_of_the_kind_the_client_asks_for(
    handshake: Handshake, challenge: bytes, digest: str
) -> None:
    assert handshake.on_frame(hmac.digest(KEY, MESSAGE, "md5")) == WELCOME
    proof = hmac.digest(KEY, challenge, digest or "md5")
    assert handshake.on_frame(CHALLENGE + challenge) == (MODERN if digest else b"") + proof
    assert handshake.on_frame(WELCOME) is None
    assert handshake.done


@pytest.mark.parametrize("challenge", [b"", b"c" * 20, CHALLENGE, CHALLENGE + b"c" * 21, CHALLENGE + MODERN])
def test_nothing_else_is_signed(handshake: Handshake, challenge: bytes) -> None:
    handshake.on_frame(hmac.digest(KEY, MESSAGE, "md5"))
    with pytest.raises(ProtocolError):
        handshake.on_frame(challenge)


def test_a_client_that_does_not_believe_us_is_not_in(handshake: Handshake) -> None:
    handshake.on_frame(hmac.digest(KEY, MESSAGE, "md5"))
    handshake.on_frame(CHALLENGE + b"c" * 20)
    with pytest.raises(ProtocolError, match="does not accept our proof"):
        handshake.on_frame(FAILURE)
    assert not handshake.done


def test_a_host_without_md5_refuses_old_clients_as_it_would_a_wrong_key(
    handshake: Handshake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allowed(key: bytes, message: bytes, digest: str) -> bytes:
        if digest == "md5":
            raise ValueError("unsupported hash type")
        return sha256(key, message, digest)

    sha256 = hmac.digest
    monkeypatch.setattr(hmac, "digest", allowed)
    with pytest.raises(Rejected, match="no md5"):
        handshake.on_frame(b"x" * 16)
    assert handshake.on_frame(MODERN + sha256(KEY, MESSAGE, "sha256")) == WELCOME


# frames


@given(st.lists(st.binary(max_size=30)), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    bodies: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(frame, bodies))
    splitter, out = FrameSplitter(), list[bytes | None]()
    splitter.bytes_max, splitter.skips = 20, True
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        splitter.feed(stream[:size])
        stream = stream[size:]
        while (found := splitter.next()) is not None:
            out.append(found[0])
    assert out == [body if len(body) <= 20 else None for body in bodies]
    assert splitter.held_bytes == 0


def test_an_unauthenticated_client_has_no_room_for_more_than_a_proof() -> None:
    splitter = FrameSplitter()
    splitter.feed(struct.pack("!i", UNAUTHENTICATED_FRAME_BYTES_MAX + 1))
    with pytest.raises(ProtocolError, match="257 bytes; 256 at most"):
        splitter.next()


def test_a_length_below_nothing_ends_it_for_anybody() -> None:
    splitter = FrameSplitter()
    splitter.bytes_max, splitter.skips = FRAME_BYTES_MAX, True
    splitter.feed(struct.pack("!i", -1))
    with pytest.raises(ProtocolError):
        splitter.next()


def test_nothing_of_a_frame_that_is_too_long_is_kept() -> None:
    splitter = FrameSplitter()
    splitter.bytes_max, splitter.skips = FRAME_BYTES_MAX, True
    splitter.feed(struct.pack("!i", 100 * FRAME_BYTES_MAX))
    for _ in range(100):
        assert splitter.next() is None
        splitter.feed(bytes(FRAME_BYTES_MAX))
        assert splitter.held_bytes == 0
    assert splitter.next() == (None,)
    splitter.feed(frame(b"next"))
    assert splitter.next() == (b"next",)
