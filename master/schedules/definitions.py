"""What a schedule's row says: as it was added or declared, with what an operator has changed since. Pure."""

from __future__ import annotations

import functools
from typing import Any, Final

from ...common.domain.schedule import ScheduleDefinition, laid_over
from ...common.wire.frames import pack, unpack
from ..store.interface.schedules import ScheduleRow

REMEMBERED: Final = 256  # each has at most 64 KiB of arguments


def packed(definition: ScheduleDefinition) -> bytes:
    """The same for equal definitions."""
    return pack(definition.to_wire())


def definition_of(row: ScheduleRow) -> ScheduleDefinition:
    return _definition(row.base, row.edits)


def edits_of(row: ScheduleRow) -> dict[str, Any]:
    return {} if row.edits is None else dict(unpack(row.edits))


def base_of(row: ScheduleRow) -> ScheduleDefinition:
    return _definition(row.base, None)


@functools.lru_cache(REMEMBERED)
def _definition(base: bytes, edits: bytes | None) -> ScheduleDefinition:
    values = unpack(base)
    return ScheduleDefinition.stored(values if edits is None else laid_over(values, unpack(edits)))
