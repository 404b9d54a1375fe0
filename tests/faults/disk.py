"""Disks that fail: a small one that is full, and a process whose system calls are answered with an error."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..cluster.programs import END_SECONDS

DISK_BYTES = 3 * 1024 * 1024
CHUNK = bytes(4096)


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int = DISK_BYTES) -> Iterator[SmallDisk]:
    """A file system of its own, of a few megabytes. Skips where this user may not mount one."""
    folder.mkdir()
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        pytest.skip("a disk of a few megabytes is made by Linux's mount")
    command = [mount, "-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this user may mount nothing: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """To the last byte."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for chunk in (CHUNK, b"\0"):
                while _written(descriptor, chunk):
                    pass
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self._ballast.unlink()


def _written(descriptor: int, chunk: bytes) -> bool:
    try:
        return os.write(descriptor, chunk) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


@contextlib.contextmanager
def failing_calls(pid: int, calls: str, error: str) -> Iterator[None]:
    """All threads of a process get this error from these system calls. Skips where strace cannot do it."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here, which makes system calls fail")
    command = [strace, "-f", "-p", str(pid), "-o", os.devnull, "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.kill()
            pytest.skip(f"strace may not attach to a process here: {said.strip()}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)  # strace detaches, the process goes on
            tracer.wait(END_SECONDS)
