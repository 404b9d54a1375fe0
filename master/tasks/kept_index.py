"""Indexed arguments of an array, as the store keeps them. Pure.

By name, the texts once and two bytes a task: a call has at most ten thousand tasks, so no more texts than that.
"""

from __future__ import annotations

from ...common.domain.argument_index import IndexColumns
from ...common.domain.text_columns import TextColumn, coded
from ...common.wire.frames import pack, unpack
from .codes import codes_of, packed_codes, unpacked_codes


def packed_index(index: IndexColumns) -> bytes:
    return pack(
        {
            name: [
                list(column.texts),
                None if column.codes is None else packed_codes(codes_of(column.codes, len(column.texts))),
            ]
            for name, column in index.columns
        }
    )


def unpacked_index(kept: bytes) -> IndexColumns:
    return IndexColumns(
        tuple(
            (
                name,
                TextColumn(
                    tuple(texts),
                    None if codes is None else coded(unpacked_codes(codes, len(texts)), len(texts)),
                ),
            )
            for name, (texts, codes) in unpack(kept).items()
        )
    )
