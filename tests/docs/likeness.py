"""Whether a command printed what the page shows, but for what differs from run to run. Pure.

``…`` stands for anything, on a line of its own for any lines, or none. Ids are learned: the id that a page shows for
a task is, from then on, the id that this run got. Durations, moments, rates and the width of columns may differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHORT = r"\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,12}\b"
_PARTS = re.compile(
    rf"(?P<lines>\s*^…$\s*)|(?P<id>{_ID})|(?P<moment>\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?)"
    rf"|(?P<short>{_SHORT})|(?P<rate>[\d,.]+ ?k?/s)|(?P<span>\d+(?:\.\d+)? (?:ms|s|min|h|d)\b)"
    r"|(?P<size>\d+(?:\.\d+)? [kKMG]i?B)|(?P<any>…|\.\.\.)|(?P<rule>[─━]{2,})|(?P<blank>\s+)",
    re.MULTILINE,
)
_PATTERNS = {
    "id": f"({_ID})",
    "short": r"([0-9a-f]{8,12})",
    "moment": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?",
    "rate": r"[\d,.]+ ?k?/s",
    "span": r"\d+(?:\.\d+)? (?:ms|s|min|h|d)\b",
    "size": r"\d+(?:\.\d+)? [kKMG]?i?B",
    "rule": r"[─━]{2,}",
    "blank": r"\s+",
}


def likeness(shown: str, printed: str) -> dict[str, str] | None:
    """None when they differ; otherwise the ids of the page with those of this run."""
    pattern, names = _pattern(shown.strip())
    found = re.fullmatch(pattern, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed).strip(), re.DOTALL)
    if found is None:
        return None
    ids: dict[str, str] = {}
    for name, value in zip(names, found.groups(), strict=True):
        if ids.setdefault(name, value) != value:
            return None
    return ids


def _pattern(shown: str) -> tuple[str, list[str]]:
    """What stands between two ``…`` is looked for once and not again further on: else a text that differs is searched for hours."""
    stretches = [""]
    names: list[str] = []
    at = 0
    for part in _PARTS.finditer(shown):
        stretches[-1] += re.escape(shown[at : part.start()])
        at = part.end()
        kind = part.lastgroup or ""
        if kind in ("any", "lines"):
            stretches.append("")
            continue
        stretches[-1] += _PATTERNS[kind]
        if kind in ("id", "short"):
            names.append(part[0])
    stretches[-1] += re.escape(shown[at:])
    first, *others = stretches
    if not others:
        return first, names
    return first + "".join(f"(?>.*?{one})" for one in others[:-1]) + f".*?{others[-1]}", names


def with_ids(text: str, ids: Mapping[str, str]) -> str:
    """A command with the ids of this run in place of those on the page."""
    for name, value in ids.items():
        text = text.replace(name, value)
    return text
