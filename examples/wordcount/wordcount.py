"""Word counts over text files, a task a file: the smallest job worth sharding.

tq-worker --connect host:5000 wordcount.py
python wordcount.py /usr/share/doc
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import tq

app = tq.App()
WORD = re.compile(r"[^\W\d_]{2,}")


@app.task(queue="words", retries=2, timeout=60)
def count(path: str) -> dict[str, int]:
    """How often each word stands in a file."""
    text = Path(path).read_text("utf-8", "replace")
    return dict(Counter(WORD.findall(text.lower())))


def total(parts: list[dict[str, int]]) -> Counter[str]:
    """All counts added up."""
    words: Counter[str] = Counter()
    for part in parts:
        words.update(part)
    return words


def main() -> None:
    files = [str(path) for path in Path(sys.argv[1]).rglob("*") if path.is_file()]
    for word, times in total(list(count.map(files).results())).most_common(20):
        print(f"{times:8} {word}")


if __name__ == "__main__":
    main()
