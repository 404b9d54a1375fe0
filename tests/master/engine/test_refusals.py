"""Only what the store may have begun to do voids a transaction."""

from __future__ import annotations

from tq.common.errors import Full, StoreError, StoreFull
from tq.master.engine.refusals import voids


def test_an_error_of_the_store_voids_the_transaction_unless_the_store_was_not_asked() -> None:
    refused = StoreFull("the disk is full")
    refused.maybe_done = False
    assert voids(StoreError("the disk does not answer"))
    assert voids(StoreFull("the disk is full"))
    assert not voids(refused)
    assert not voids(Full("wait"))
