"""Validates the lists of content that tasks of a submit, or results of a finish, name."""

from __future__ import annotations

from typing import Any, Final

from ...common.errors import InvalidArgument
from ...common.values.blob import HASH_BYTES

BLOBS_PER_CALL_MAX: Final = 10_000


def check_named(named: Any) -> list[tuple[Any, list[bytes]]]:
    """``[[id or index, [hash, …]], …]`` from the wire; raises InvalidArgument."""
    total = 0
    if isinstance(named, list):
        for one in named:
            match one:
                case [bytes() | int(), list(hashes)] if all(
                    type(hash) is bytes and len(hash) == HASH_BYTES for hash in hashes
                ):
                    total += len(hashes)
                case _:
                    break
        else:
            if total <= BLOBS_PER_CALL_MAX:
                return [(key, hashes) for key, hashes in named]
    raise InvalidArgument(
        f"blobs must be a list of [task, [hash, …]] with at most {BLOBS_PER_CALL_MAX:,} hashes of {HASH_BYTES} bytes"
    )
