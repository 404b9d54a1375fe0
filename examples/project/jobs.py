"""The tasks: plain functions that run on any worker. Importing this file starts nothing."""

from __future__ import annotations

import tq

app = tq.App()  # finds the master by itself: `tq dev` here, or TQ_URL and TQ_AUTHKEY (docs/commands.md)


@app.task(retries=3, timeout=60)  # tried up to four times, a minute each
def count_words(text: str) -> int:
    """How many words a text has. A plain call runs here, ``count_words.submit(text)`` on a worker."""
    return len(text.split())


@app.task(retries=5)
def fetch(ctx: tq.Context, url: str) -> int:
    """The size of a page. ``ctx`` is filled in where the task runs."""
    from urllib.request import urlopen

    if not url.startswith(("http://", "https://")):
        raise tq.Discard(f"{url} is not the address of a page")  # trying again would not help
    with urlopen(url, timeout=20) as page:
        if page.status == 503 and ctx.attempt < 3:
            raise tq.Retry("the server is busy", after=30)
        return len(page.read())
