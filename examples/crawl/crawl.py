"""Crawl a site: each page submits the pages that it links to, until nothing new is found.

    tq-worker crawl.py
    python crawl.py http://localhost:8000/

Who knows which pages were seen? The master: a page's address is the key of its task, and the same key is the same task. Who knows when
it is over? The flow: it ends when each of its tasks has.
"""

import re
import sys
from urllib.parse import urldefrag, urljoin
from urllib.request import urlopen

import tq

app = tq.App()
LINK = re.compile(r'href="([^"]+)"')


@app.task(retries=3, timeout=60)
def visit(ctx: tq.Context, start: str, url: str) -> str:
    with urlopen(url) as page:
        text = page.read().decode()
    found = {urldefrag(urljoin(url, link)).url for link in LINK.findall(text)}
    with ctx.flow as flow, app.batch():
        for link in sorted(found):
            if link.startswith(start):
                visit.using(key=f"{flow.id} {link}").submit(start, link)
    return url


if __name__ == "__main__":
    [start] = sys.argv[1:]
    with app.flow(f"crawl {start}", on_error="collect") as flow:
        visit.using(key=f"{flow.id} {start}").submit(start, start)
    for page in flow.result():
        print(page)
