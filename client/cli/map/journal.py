"""The journal of a run: an append-only file of the finished lines, from which another run continues.

::

    {"tq": "map", "version": 1, "run": "…", "what": {…}}        once; ids of tasks are made from `run`
    {"output": [device, inode], "shown": 0}                      at every start: where the lines below were shown
    17 9a3c51f0 + 2318                                           number, digest of the item, + or -, bytes shown
    {"end": 2318}                                                it ended normally: the lines above are complete

A task's id is computed from the run, the line's number and its content: submitting a line again gives the same task, which
the master does not run twice. So lines missing from the journal can be submitted again without harm. A line enters the
journal only after its result is in the output. If the program dies in between and the output is a file, the next run cuts
off the bytes after the last entry and prints the line again.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from ....common.domain.ids import PLACE_BITS, new_ids
from ....common.domain.shards import id_in, with_shard
from ....common.errors import InvalidArgument
from ..run_files import open_run_file

VERSION: Final = 1
PLACE_MASK: Final = (1 << PLACE_BITS) - 1
DIGEST_BITS: Final = 31  # of an item, as the journal has it; the bit above says that it succeeded
SUCCEEDED_BIT: Final = 1 << DIGEST_BITS
NUMBER_MAX: Final = 1 << 32  # lines of one run: their digests are kept while it is resumed, four bytes each

File = tuple[int, int]  # device and inode: which output it was


class Record(NamedTuple):
    """A line is finished, and ``shown`` bytes are in the output."""

    number: int
    digest: int
    succeeded: bool
    shown: int

    def __str__(self) -> str:
        return f"{self.number} {self.digest:08x} {'+' if self.succeeded else '-'} {self.shown}\n"


def item_digest(raw: bytes) -> int:
    """Never 0, which means `not finished`."""
    return int.from_bytes(blake2b(raw, digest_size=4).digest(), "big") >> 1 or 1


def line_id(run: bytes, number: int, shard: int) -> bytes:
    """The id of a line's task: a UUID of version 8. Those of neighbouring lines in a shard are consecutive; see common/domain/ids.py."""
    return (_line_zero(run, shard) | number & PLACE_MASK).to_bytes(16, "big")


@lru_cache
def _line_zero(run: bytes, shard: int) -> int:
    """What all ids of a run in a shard begin with."""
    mark = int.from_bytes(blake2b(run, digest_size=4).digest(), "big") >> 2
    number = int.from_bytes(run[:6], "big") << 80 | 0x8 << 76 | 0x2 << 62 | mark << PLACE_BITS
    return with_shard(number, shard)


class Finished:
    """What earlier runs have finished. Four bytes a line."""

    def __init__(self) -> None:
        self._digests = array("I")
        self.failed = self.lines = 0
        self.shown = 0
        self.output: File | None = None
        self.in_good_order = False  # the last run ended by itself: nothing it wrote is unknown

    def __contains__(self, number: int) -> bool:
        return number <= len(self._digests) and self._digests[number - 1] != 0

    def succeeded(self, number: int) -> bool:
        return number in self and bool(self._digests[number - 1] & SUCCEEDED_BIT)

    def check(self, number: int, raw: bytes) -> None:
        """Raises InvalidArgument when the line has changed."""
        if number in self and self._digests[number - 1] & ~SUCCEEDED_BIT != item_digest(raw):
            raise InvalidArgument(
                f"line {number} of the input is not what it was when the journal was written; "
                "give the same input, or begin a new journal"
            )

    def check_end(self, last: int) -> None:
        if last < len(self._digests):
            raise InvalidArgument(
                f"the input has {last:,} lines, but the journal knows of line {len(self._digests):,}; "
                "give the same input, or begin a new journal"
            )

    def note(self, record: Record) -> None:
        digests = self._digests
        if record.number > len(digests):
            digests.extend([0] * (record.number - len(digests)))
        before = digests[record.number - 1]
        self.lines += not before
        self.failed += (not record.succeeded) - (before != 0 and not before & SUCCEEDED_BIT)
        digests[record.number - 1] = record.digest | (SUCCEEDED_BIT if record.succeeded else 0)


class Journal:
    """An open journal, locked, so that no other process continues the same run."""

    def __init__(self, path: Path, file: BinaryIO, run: bytes, finished: Finished) -> None:
        self.path, self.run, self.finished, self._file = path, run, finished, file

    @classmethod
    def begin(cls, path: Path, what: Mapping[str, Any], shard: Callable[[], int] = int) -> Journal:
        """A new journal; raises InvalidArgument if the file exists. ``shard``: asks for the one of its tasks."""
        file = _open(path, resumed=False)
        if os.fstat(file.fileno()).st_size:
            file.close()
            raise InvalidArgument(f"{path} exists; go on with --resume {path}, or name another file")
        try:
            run = id_in(new_ids(), shard())
        except BaseException:
            # Nothing has begun: the file that would say so is taken away again.
            file.close()
            path.unlink(missing_ok=True)
            raise
        _head(file, run, what)
        return cls(path, file, run, Finished())

    @classmethod
    def resume(
        cls,
        path: Path,
        what: Mapping[str, Any],
        output: File | None,
        *,
        bytes_shown: int | None,
        shard: Callable[[], int] = int,
    ) -> Journal:
        """Continue a journal. ``bytes_shown``: trust only lines whose results are within this size of the output file."""
        file = _open(path, resumed=True)
        try:
            run, finished = _read(path, file, what, output, bytes_shown)
            begins = None if run is not None else id_in(new_ids(), shard())
        except BaseException:
            file.close()
            raise
        if begins is not None:  # it died before it had begun
            run = begins
            _head(file, run, what)
        assert run is not None  # noqa: S101 - else it begins
        return cls(path, file, run, finished)

    def shows_in(self, output: File | None, shown: int) -> None:
        """Start a section: the following results go to this file after so many bytes, or to no file."""
        self._write(json.dumps({"output": output, "shown": shown}) + "\n")

    def end(self, shown: int) -> None:
        """The run has ended normally."""
        self._write(json.dumps({"end": shown}) + "\n")

    def append(self, records: Iterable[Record]) -> None:
        """Write records; they survive a kill of this process."""
        self._write("".join(map(str, records)))

    def _write(self, text: str) -> None:
        self._file.write(text.encode("ascii"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """Delete a journal that is no longer needed."""
        # Before it is closed: the lock is held until nothing of it is left.
        self.path.unlink(missing_ok=True)
        self.close()


def _open(path: Path, *, resumed: bool) -> BinaryIO:
    return open_run_file(path, kind="journal", begun_by="--journal", resumed=resumed)


def _head(file: BinaryIO, run: bytes, what: Mapping[str, Any]) -> None:
    head = {"tq": "map", "version": VERSION, "run": run.hex(), "what": dict(what)}
    file.write(json.dumps(head).encode("ascii") + b"\n")
    file.flush()


def _read(
    path: Path, file: BinaryIO, what: Mapping[str, Any], output: File | None, bytes_shown: int | None
) -> tuple[bytes | None, Finished]:
    """The run and what it has finished; a torn last line is cut off."""
    finished, run = Finished(), None
    whole, here = 0, False
    file.seek(0)
    for number, line in enumerate(file, 1):
        # Torn by a crash: the line is not known to be whole, and is cut off below.
        if not line.endswith(b"\n"):
            break
        whole += len(line)
        if run is None:
            run = _run_of(path, line, what)
            continue
        try:
            finished.in_good_order = line.startswith(b'{"end"')
            # True only if nothing follows: each later line sets it again.
            if finished.in_good_order:
                continue
            if line.startswith(b"{"):
                began = json.loads(line)
                known, shown = began["output"], int(began["shown"])
                finished.output = None if known is None else (int(known[0]), int(known[1]))
                here = output is not None and finished.output == output
                if not (here and bytes_shown is not None and shown > bytes_shown):
                    finished.shown = shown
                continue
            record = _record(line)
        except (ValueError, LookupError, TypeError):
            raise InvalidArgument(f"line {number} of {path} is not of a journal; it was damaged") from None
        # Its result is not in the output: it runs, and is printed, again.
        if here and bytes_shown is not None and record.shown > bytes_shown:
            continue
        finished.note(record)
        finished.shown = record.shown
    file.truncate(whole)
    return run, finished


def _run_of(path: Path, line: bytes, what: Mapping[str, Any]) -> bytes:
    try:
        head = json.loads(line)
        run, before = bytes.fromhex(head["run"]), head["what"]
        right = head["tq"] == "map" and head["version"] == VERSION and len(run) == 16
    except (ValueError, LookupError, TypeError):
        right = False
    if not right:
        raise InvalidArgument(f"{path} is not a journal of this version of tq")
    for name, value in what.items():
        # Another task or queue makes other tasks of the same lines.
        if before.get(name) != value:
            raise InvalidArgument(
                f"the journal is of a run with {name} {before.get(name)!r}, not {value!r}; "
                "repeat the command as it was, or begin a new journal"
            )
    return run


def _record(line: bytes) -> Record:
    number, digest, sign, shown = line.split()
    record = Record(int(number), int(digest, 16), sign == b"+", int(shown))
    if (
        sign not in (b"+", b"-")
        or not 0 < record.number < NUMBER_MAX
        or not 0 < record.digest < SUCCEEDED_BIT
    ):
        raise ValueError(line)
    return record
