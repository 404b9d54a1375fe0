"""Tasks that wait for other tasks inside themselves."""

from __future__ import annotations

import threading

import tq

app = tq.App()


@app.task
def leaf(number: int) -> int:
    return number


@app.task
def total(most: int) -> int:
    return sum(leaf.map(range(most)).results())


@app.task(retries=3)
def depth(left: int) -> int:
    return 0 if left == 0 else 1 + depth.submit(left - 1).result()


@app.task(limits=[tq.Limit("narrow", max_running=1)])
def narrow(left: int) -> int:
    """Waits for a permit that it has itself."""
    return narrow.submit(left - 1).result() if left else 0


@app.task
def tree(height: int) -> int:
    return 1 + sum(one.result() for one in tq.as_completed(tree.map([height - 1] * 2))) if height else 1


@app.task
async def awaited(most: int) -> int:
    return sum([await (await leaf.asubmit(number)) for number in range(most)])


@app.task
def by_pool_executor_and_flow(most: int) -> list[int]:
    with tq.Pool() as pool, tq.Executor() as executor:
        found = [sum(pool.map(leaf, range(most))), executor.submit(leaf, most).result()]
    with app.flow("inside") as flow:
        leaf.map(range(most))
    return [*found, sum(flow.result())]


@app.task
def countdown(left: int) -> int | tq.Handle[int]:
    return countdown.submit(left - 1) if left else 42


@app.task
async def awaited_countdown(left: int) -> int | tq.Handle[int]:
    return await awaited_countdown.asubmit(left - 1) if left else 43


@app.task
def mixed(left: int) -> int | tq.Handle[int]:
    """Waits for every second one inside itself."""
    if not left:
        return 0
    below = mixed.submit(left - 1)
    return below if left % 2 else 1 + below.result()


@app.task
def added(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def gathered(most: int) -> tq.Handle[int]:
    return added.submit(leaf.map(range(most)))


@app.task
def ungathered(most: int) -> tq.Handles[int]:
    return leaf.map(range(most))


@app.task
def sleeper() -> None:
    threading.Event().wait(600)


@app.task
def brood(ctx: tq.Context, children: int) -> None:
    handles = [sleeper.submit() for _ in range(children)]
    ctx.progress(children)
    tq.wait(handles)
