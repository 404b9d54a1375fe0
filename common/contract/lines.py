"""A line of ``get_tasks.lines`` that comes in parts. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any


def join_line(line: dict[str, Any], rest: dict[str, Any]) -> None:
    """Add the rest of a line to it."""
    states = Counter(dict(line["states"]))
    states.update(dict(rest["states"]))
    line["states"] = sorted(states.items())
    line["id"], line["tasks"] = rest["id"], line["tasks"] + rest["tasks"]
    if "digits" in rest:
        line["digits"] = max(line["digits"], rest["digits"])
    line["error"] = line["error"] or rest["error"]
    tags = rest.get("tags", {})
    line["tags"] = {name: text for name, text in line.get("tags", {}).items() if tags.get(name) == text}
