"""Bells of the processes of one master: one that has something for a shard of another process wakes that one, which then looks.

::

    guard: a pipe for each process ─► inherited by all ─► a record into the pipe of the other one ─► its loop reads it, and looks

So nothing is looked at while nothing happens, and what happens is seen at once. The pipes are the guard's: a process that is started again has the
same one, with what was rung meanwhile in it. A bell says only that there is something; what it is stands in the store, and who has it there rings
again until it is taken. So one that is lost, because a pipe is full, costs some seconds and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

RECORD: Final = struct.Struct(
    "=HH"
)  # of which shard, for which; written and read whole, as a pipe does with what is small
READ_RECORDS: Final = 1_024


class BellDescriptors(NamedTuple):
    """What a process inherits. ``own``: what it reads; ``others``: what each process reads, by its number."""

    own: int
    others: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return (self.own, *self.others)


class BellPipes:
    """The guard's. Raises OSError when there is no descriptor left."""

    def __init__(self, processes: int) -> None:
        self._pipes: list[tuple[int, int]] = []
        try:
            for _ in range(processes):
                self._pipes.append(os.pipe())
        except BaseException:
            self.close()
            raise
        for descriptor in (one for pipe in self._pipes for one in pipe):
            os.set_blocking(descriptor, False)  # of the pipe, not of one process

    def descriptors(self, process: int) -> BellDescriptors:
        return BellDescriptors(self._pipes[process][0], tuple(pipe[1] for pipe in self._pipes))

    def close(self) -> None:
        while self._pipes:
            for descriptor in self._pipes.pop():
                os.close(descriptor)


class Bells:
    """A process's. ``rung``: called on the loop with pairs of a shard that has something, and one of this process that it is for."""

    def __init__(
        self,
        descriptors: BellDescriptors,
        loop: asyncio.AbstractEventLoop,
        rung: Callable[[Sequence[tuple[int, int]]], None],
    ) -> None:
        self._descriptors, self._loop, self._rung = descriptors, loop, rung
        for descriptor in descriptors.all:
            os.set_inheritable(descriptor, False)
        loop.add_reader(descriptors.own, self._read)

    def ring(self, of_shard: int, shard: int) -> None:
        """The process that hosts ``shard``."""
        others = self._descriptors.others
        # It is full, and will be rung again; or the guard is gone, and with it this process in a moment.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(others[shard % len(others)], RECORD.pack(of_shard, shard))

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptors.own, READ_RECORDS * RECORD.size)
            pairs = dict.fromkeys(RECORD.iter_unpack(data))
            self._rung([(of_shard, shard) for of_shard, shard in pairs])

    def close(self) -> None:
        self._loop.remove_reader(self._descriptors.own)
        for descriptor in self._descriptors.all:
            os.close(descriptor)
