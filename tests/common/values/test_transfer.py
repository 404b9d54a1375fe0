"""Content up and down a line that is lost, a master that is restarted, a disk that is behind."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future
from typing import Any

import pytest
from tq.common.errors import DecodeError, InvalidArgument, ProtocolError, StoreError, Unreachable
from tq.common.values import transfer
from tq.common.values.blob import CHUNK_BYTES, Blob
from tq.common.values.transfer import WINDOW, download, upload

DATA = bytes(range(256)) * (CHUNK_BYTES * 10 // 256) + b"the rest"
BLOB = Blob.of(DATA)


class Master:
    """Answers a call when a later one is made or its future is looked at: up to ``WINDOW`` are under way."""

    def __init__(self, *, lasting: bool = True) -> None:
        self.lasting = lasting
        self.parts: dict[bytes, bytes] = {}
        self.whole: dict[bytes, bytes] = {}
        self.calls: list[str] = []
        self.under_way = self.most_under_way = 0
        self.faults: deque[tuple[int, str]] = deque()  # at that call of ``put`` or ``get``

    def call(self, method: str, *args: Any) -> Future[Any]:
        self.calls.append(method)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        return Answer(self, method, args)

    def answer(self, method: str, args: tuple[Any, ...]) -> Any:
        if self.faults and self.calls.count("put") + self.calls.count("get") >= self.faults[0][0]:
            fault = self.faults.popleft()[1]
            if fault == "lost":
                raise Unreachable("the line broke")
            if fault == "restart":
                self.parts.clear()
            if fault == "busy":
                return len(self.parts.get(args[0], b""))
            if fault == "full":
                raise StoreError("the disk of the master has 0 bytes left")
            if fault == "short":
                return b"x"
        return getattr(self, f"_{method}")(*args)

    def _ask(self, hash: bytes, size: int) -> int:
        return size if hash in self.whole else len(self.parts.get(hash, b""))

    def _put(self, hash: bytes, size: int, offset: int, data: bytes) -> int:
        if hash in self.whole:
            return size
        part = self.parts.setdefault(hash, b"")
        if len(part) == offset:
            part = self.parts[hash] = part + data
        if len(part) == size:
            if hashlib.blake2b(part, digest_size=32).digest() != hash:
                raise InvalidArgument("not the content")
            self.whole[hash] = part
        return len(part)

    def _get(self, hash: bytes, offset: int, length: int) -> bytes:
        return self.whole[hash][offset : offset + length]


class Answer(Future[Any]):
    def __init__(self, master: Master, method: str, args: tuple[Any, ...]) -> None:
        super().__init__()
        self._master, self._call = master, (method, args)

    def result(self, timeout: float | None = None) -> Any:
        self._master.under_way -= 1
        return self._master.answer(*self._call)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE_SECONDS_MAX", 0.0)


def test_content_goes_up_in_chunks_a_few_of_them_under_way() -> None:
    master = Master()
    upload(master, BLOB)
    assert master.whole[BLOB.digest] == DATA
    assert master.calls == ["ask"] + ["put"] * 11
    assert master.most_under_way == WINDOW


def test_content_that_is_there_costs_one_question() -> None:
    master = Master()
    upload(master, BLOB)
    master.calls.clear()
    upload(master, BLOB)
    assert master.calls == ["ask"]


def test_small_content_is_sent_at_once_and_none_not_at_all() -> None:
    master = Master()
    upload(master, Blob.of(b"small"))
    upload(master, Blob.of(b""))
    assert master.calls == ["put"]


def test_it_goes_on_from_where_an_earlier_try_ended() -> None:
    master = Master()
    master.parts[BLOB.digest] = DATA[: 5 * CHUNK_BYTES]
    upload(master, BLOB)
    assert master.calls.count("put") == 6


@pytest.mark.parametrize("fault", ["lost", "restart", "busy"])
@pytest.mark.parametrize("at", [1, 2, 7, 11])
def test_it_arrives_whatever_happens_on_the_way(fault: str, at: int) -> None:
    master = Master()
    master.faults.extend([(at, fault), (at + 3, fault)])
    upload(master, BLOB)
    assert master.whole[BLOB.digest] == DATA


def test_a_line_that_repeats_by_itself_is_not_asked_twice() -> None:
    master = Master(lasting=False)
    master.faults.append((3, "lost"))
    with pytest.raises(Unreachable):
        upload(master, BLOB)


def test_a_master_that_takes_nothing_is_given_up() -> None:
    master = Master()
    master.faults.extend([(0, "busy")] * 10_000)
    with pytest.raises(StoreError, match="accepts no more of"):
        upload(master, BLOB)


def test_what_the_master_refuses_is_raised() -> None:
    master = Master()
    master.faults.append((4, "full"))
    with pytest.raises(StoreError, match="0 bytes left"):
        upload(master, BLOB)


def test_content_comes_down_in_order_a_few_chunks_under_way() -> None:
    master, got = Master(), bytearray()
    master.whole[BLOB.digest] = DATA
    download(master, BLOB, got.extend)
    assert bytes(got) == DATA
    assert master.most_under_way == WINDOW


def test_a_lost_line_costs_the_chunks_under_way_only() -> None:
    master, got = Master(), bytearray()
    master.whole[BLOB.digest] = DATA
    master.faults.extend([(4, "lost"), (6, "lost")])
    download(master, BLOB, got.extend)
    assert bytes(got) == DATA
    assert len(master.calls) <= 11 + 2 * WINDOW


def test_damaged_content_is_reported_at_its_end() -> None:
    master = Master()
    master.whole[BLOB.digest] = DATA[:-1] + b"X"
    with pytest.raises(DecodeError, match=f"does not have that hash. Remove the file blobs/{BLOB.hash[:2]}/"):
        download(master, BLOB, lambda data: None)


def test_a_master_that_sends_other_than_was_asked_for_is_not_believed() -> None:
    master = Master()
    master.whole[BLOB.digest] = DATA
    master.faults.append((1, "short"))
    with pytest.raises(ProtocolError):
        download(master, BLOB, lambda data: None)
