"""Large values: tasks that are given 1 MB and give it back, through TLS and the disk both ways."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from .cluster import cluster
from .readings import Readings
from .scale import Scale

VALUE_BYTES: Final = 1_000_000
WARM_UP: Final = 4
DONE_SECONDS_MAX: Final = 30.0  # slower than a tenth of any floor seen: something is wrong


def values(scale: Scale) -> Readings:
    """``values.bytes`` a second, those of the arguments and those of the results."""

    def given(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield value

    value = os.urandom(VALUE_BYTES)
    with cluster() as measured:
        submitter = measured.app.named("bench_tasks:nothing")
        submitter.map(given(WARM_UP)).wait(DONE_SECONDS_MAX)
        began = time.perf_counter()
        size = sum(len(result) for result in submitter.map(given(scale.values)).results(DONE_SECONDS_MAX))
        seconds = time.perf_counter() - began
    if size != scale.values * VALUE_BYTES:
        raise AssertionError(f"{size:,} bytes came back")
    return Readings(numbers={"values.bytes": 2 * size / seconds})
