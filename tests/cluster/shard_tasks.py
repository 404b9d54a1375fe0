"""Tasks that ask their master for something while they run, whichever shard they are of."""

from __future__ import annotations

import tq

app = tq.App()


def note(path: str) -> None:
    with open(path, "a", encoding="utf-8") as notes:
        notes.write("done\n")


@app.task
def stepped(ctx: tq.Context, path: str) -> tq.Blob:
    """Its step is done once, in its first attempt; its result is content."""
    ctx.step("note", note, path)
    if ctx.attempt == 1:
        raise ValueError("try again")
    return tq.Blob.of(b"content of the second attempt")


@app.task
def leaf(number: int) -> int:
    return number


@app.task
def across(queues: list[str]) -> int:
    """Waits for a task of each of these queues."""
    return sum(one.result() for one in [leaf.using(queue=queue).submit(1) for queue in queues])
