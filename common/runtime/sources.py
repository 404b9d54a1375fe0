"""The watched source files: every ``*.py`` below the working directory, and the named ones.

Not only imported modules count: a module may be imported inside a task, may have been unreadable, or may not exist yet.
Hidden directories, virtual environments and caches are not watched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ENTRIES_MAX: Final = 5_000  # watched at most, the nearest first, so that it also works in a home directory
SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})

Stamps = dict[str, tuple[int, int, int]]  # path: time of change, size, inode


class Sources:
    """``named``: files given by name, wherever they are; those beside them count as well."""

    def __init__(self, folder: Path, named: Sequence[Path]) -> None:
        self._folder = folder.resolve()
        beside = {file.resolve().parent for file in named}
        self._outside = sorted(one for one in beside if not one.is_relative_to(self._folder))
        self.is_cut = False  # there were more entries than are looked at

    def look(self) -> Stamps:
        """How every file is at the moment."""
        stamps: Stamps = {}
        for entry in self._entries():
            try:
                status = entry.stat()
            except OSError:  # an editor is replacing it at this moment: the next check sees the new file
                continue
            stamps[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return stamps

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        left = ENTRIES_MAX
        waiting: deque[tuple[str, bool]] = deque([(str(self._folder), True)])
        waiting.extend((str(folder), False) for folder in self._outside)
        while waiting:
            folder, deep = waiting.popleft()
            for entry in _listed(folder):
                left -= 1
                if not left:
                    self.is_cut = True
                    return
                if entry.name.endswith(".py"):
                    yield entry
                elif (
                    deep
                    and not entry.name.startswith(".")
                    and entry.name not in SKIPPED
                    and _is_folder(entry)
                ):
                    waiting.append((entry.path, True))


def differences(before: Stamps, after: Stamps) -> list[str]:
    """The files that are new, gone or changed."""
    paths = before.keys() | after.keys()
    return sorted(path for path in paths if before.get(path) != after.get(path))


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return []
    return [] if any(one.name == "pyvenv.cfg" for one in found) else found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
