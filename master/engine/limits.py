"""The durations and bounds an engine decides by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...common.wire.frames import FRAME_BYTES_MAX

ENVELOPE_BYTES_MAX: Final = 4 * 1024  # of a frame that carries one payload: names, ids, options


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineLimits:
    """``lease_ms``: how long a worker may be silent. ``grace_ms``: how long a node may be without a connection."""

    lease_ms: int = 20_000
    grace_ms: int = 3_000
    tick_ms: int = 5_000
    result_ttl_ms: int = 7 * 24 * 3_600_000
    results_max: int = 1_000_000
    results_bytes_max: int = 10 * 1024**3  # 0: no bound
    payload_bytes_max: int = FRAME_BYTES_MAX - ENVELOPE_BYTES_MAX
