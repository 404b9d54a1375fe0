"""Indexed arguments of an array, as the store keeps them. Pure.

By name, the texts once and two bytes a task: a call has at most ten thousand tasks, so no more texts than that.
"""

from __future__ import annotations

from array import array

from ...common.domain.argument_index import IndexColumns
from ...common.domain.text_columns import TextColumn
from ...common.wire.frames import pack, unpack


def packed_index(index: IndexColumns) -> bytes:
    return pack(
        {
            name: [list(column.texts), None if column.codes is None else array("H", column.codes).tobytes()]
            for name, column in index.columns
        }
    )


def unpacked_index(kept: bytes) -> IndexColumns:
    return IndexColumns(
        tuple(
            (name, TextColumn(tuple(texts), None if codes is None else tuple(array("H", codes))))
            for name, (texts, codes) in unpack(kept).items()
        )
    )
