"""The variable by which libraries know which GPUs are theirs, while a task runs that was given some.

A process is shown others with each task; a library that looks once, when it is first used, keeps what it saw then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ...common.domain.indexes import GPU, GPU_VARIABLE


@contextmanager
def shown_gpus(given: Mapping[str, Sequence[str]] | None) -> Iterator[None]:
    if not given or GPU not in given:
        yield
        return
    before = os.environ.get(GPU_VARIABLE)
    os.environ[GPU_VARIABLE] = ",".join(given[GPU])
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(GPU_VARIABLE, None)
        else:
            os.environ[GPU_VARIABLE] = before
