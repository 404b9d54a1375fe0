"""The store's verbs for the space that its file takes. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Space(NamedTuple):
    size_bytes: int  # of the file, without its log
    unused_bytes: int  # in it: what was deleted, and is written over before the file grows
    shrinks: bool  # ``give_back`` has an effect


class SpaceStore(Protocol):
    def space(self) -> Space: ...
    def give_back(self, pages: int) -> int:
        """Return up to so many unused pages to the disk; how many bytes that were. The file is shorter some time after the
        commit."""
