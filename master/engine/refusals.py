"""Which errors are an answer to one caller, and which void the whole transaction. Pure."""

from __future__ import annotations

from ...common.errors import StoreError, TqError


def voids(error: TqError) -> bool:
    """Whether nothing of the transaction may be committed: the store has failed amid what it was asked, so others' rows may be half
    written. What catches a TqError, to answer one caller with it, raises those again. Not so where something was refused before the
    store was asked."""
    return isinstance(error, StoreError) and error.maybe_done
