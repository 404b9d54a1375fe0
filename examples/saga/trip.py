"""A trip is booked whole or not at all: what was booked before something was sold out is cancelled again.

    tq-worker trip.py
    python trip.py Ada; python trip.py Bob moon

Each booking is a step: it is recorded when it is done, and however often the worker dies, no later attempt books it again. An answer
like "sold out" is returned, not raised: what a step returns is kept, what it raises is tried again. A worker that dies between the
service's answer and our record asks once more: give a real service ``ctx.id`` and the name of the step as its key.
"""

import sys
from pathlib import Path

import tq

app = tq.App()
LEDGER = Path("ledger.txt")  # in place of three services


def book(who: str, what: str, where: str) -> bool:
    if (what, where) == ("hotel", "moon"):
        return False
    with LEDGER.open("a") as ledger:
        ledger.write(f"{who} books a {what}\n")
    return True


def cancel(who: str, what: str) -> None:
    with LEDGER.open("a") as ledger:
        ledger.write(f"{who} cancels the {what}\n")


@app.task(retries=5, backoff=1)
def trip(ctx: tq.Context, who: str, where: str) -> str:
    booked: list[str] = []
    for what in ("flight", "hotel", "car"):
        if not ctx.step(f"book {what}", book, who, what, where):
            for one in reversed(booked):
                ctx.step(f"cancel {one}", cancel, who, one)
            raise tq.Discard(f"no {what} is left in {where}: all is cancelled")
        booked.append(what)
        if what == "hotel" and ctx.attempt == 1:
            raise ConnectionError("no answer of the car rental")  # a second attempt goes on from here
    return f"{who} goes to {where}"


if __name__ == "__main__":
    who, where = (*sys.argv[1:], "Prague")[:2]
    task = trip.submit(who, where)
    print(task.exception() or task.result())
