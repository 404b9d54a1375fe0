"""A thread's packers are its own, and do not keep the memory of the largest value that it has ever packed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tq.common.values.codec import encode
from tq.common.values.packing import BUFFER_BYTES_KEPT, pack_loosely, pack_strictly, packers


def test_a_packer_of_a_large_value_is_replaced() -> None:
    for pack in (pack_strictly, pack_loosely, encode):
        before = packers.strict
        pack(bytes(BUFFER_BYTES_KEPT - 10))
        assert packers.strict is before
        pack(bytes(BUFFER_BYTES_KEPT + 1))
        assert packers.strict is not before


def test_each_thread_has_packers_of_its_own() -> None:
    found: list[Any] = []
    other = threading.Thread(target=lambda: found.append(packers.strict))
    other.start()
    other.join()
    assert found != [packers.strict]


def test_after_a_value_that_cannot_be_packed_the_next_one_is_packed_alone() -> None:
    for pack in (pack_strictly, pack_loosely):
        with pytest.raises(OverflowError):
            pack(["begun", 2**64])
        assert pack(1) == b"\x01"
