"""The tasks of the blob tests."""

from __future__ import annotations

import os
from pathlib import Path

import tq

app = tq.App()


@app.task
def turned(content: tq.Blob, path: str) -> tq.Blob:
    """The content's chunks in the opposite order, by way of files."""
    chunks: list[bytes] = []
    with content.open() as file:
        while chunk := file.read(1024 * 1024):
            chunks.append(chunk)
    Path(path).write_bytes(b"".join(reversed(chunks)))
    return tq.Blob.of(path)


@app.task
def second_try(content: tq.Blob, *, ctx: tq.Context) -> int:
    """Reads its argument again after it has failed."""
    size = len(content.read())
    if ctx.attempt == 1:
        raise RuntimeError("once")
    return size


@app.task
def handed_on(content: tq.Blob) -> list[tq.Blob]:
    """What it got, twice, and the result of a task of its own."""
    inner = measured.submit(content).result()
    assert inner == content.size
    return [content, content, tq.Blob.of(b"new")]


@app.task
def measured(content: tq.Blob) -> int:
    return len(content.read())


@app.task
def endless(content: tq.Blob, started: str) -> None:
    Path(started).touch()
    while True:
        content.stream(lambda data: None)


@app.task
def large(size: int) -> bytes:
    return b"x" * size


@app.task
def damaged_on_the_way(path: str) -> tq.Blob:
    Path(path).write_bytes(b"one")
    blob = tq.Blob.of(path)
    Path(path).write_bytes(b"two")
    os.utime(path, (1, 1))
    return blob
