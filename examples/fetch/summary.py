"""What became of the URLs that were fetched into JSON lines: how many by status and by host, and how many bytes.

    tq-worker --allow-http --queue fetch
    tq map tq.tasks.http:fetch --queue fetch --retries 5 --unordered < urls.txt > pages.jsonl
    python summary.py pages.jsonl

It reads a line at a time: two million lines take no more memory than ten.
"""

import json
import sys
from collections import Counter
from urllib.parse import urlsplit

HOSTS_SHOWN = 10


def size(body: object) -> int:
    """Of a body: text, bytes in hexadecimal, or a blob by its hash."""
    return body["size"] if isinstance(body, dict) else len(body or "")


def main(path: str) -> None:
    statuses: Counter[int] = Counter()
    hosts: Counter[str] = Counter()
    total = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            page = json.loads(line)
            statuses[page["status"]] += 1
            hosts[urlsplit(page["url"]).netloc] += 1
            total += size(page["body"])
    for status, number in sorted(statuses.items()):
        print(f"{status}: {number:,}")
    for host, number in hosts.most_common(HOSTS_SHOWN):
        print(f"{host}: {number:,}")
    print(f"{total:,} characters")


if __name__ == "__main__":
    main(sys.argv[1])
