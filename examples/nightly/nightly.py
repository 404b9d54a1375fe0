"""A report at three every night: count the lines of all logs, add them up, mail the sum. Map, reduce, mail.

    TQ_SMTP_URL=smtp://localhost:25 tq-worker nightly.py tq.tasks.mail
    python nightly.py logs you@example.org                 # now
    tq schedule edit nightly:nightly '"/var/log"' '"you@example.org"'; tq schedule preview nightly:nightly

The task of the night only submits: it is over at once, and the flow goes on without it. The flow has the task's id as its key, so
that a second attempt of the night goes on with the same flow and sends no second mail.
"""

import sys
from collections import Counter
from pathlib import Path

import tq
from tq.tasks import mail

app = tq.App()


@app.task(retries=2)
def count(path: Path) -> dict[str, int]:
    """The lines of one log by their first word: INFO, WARNING, ERROR."""
    return dict(Counter(line.split()[0] for line in path.read_text().splitlines() if line.strip()))


@app.task
def add_up(counts: list[dict]) -> str:
    total = sum(map(Counter, counts), Counter())
    return "\n".join(f"{number:8,} {word}" for word, number in total.most_common())


@app.cron("0 3 * * *", tz="Europe/Prague", overlap="skip", args=(".", "root@localhost"))
@app.task(retries=3)
def nightly(ctx: tq.Context, folder: str, to: str) -> str:
    with app.flow("nightly", key=ctx.id) as flow:
        counts = [count.submit(path) for path in sorted(Path(folder).glob("*.log"))]
        mail.send.submit(to, "The night's logs", add_up.submit(counts), "report@example.org")
    return flow.id


if __name__ == "__main__":
    folder, to = sys.argv[1:]
    flow = app.get_flow(nightly.submit(str(Path(folder).resolve()), to).result())
    print(flow.result()[-1]["reply"])
