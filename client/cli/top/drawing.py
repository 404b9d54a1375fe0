"""A frame of ``tq top``: lines of text for a model and a size. Pure.

The layout is made for 80 × 24 and grows with the terminal; lines are cut, never wrapped. Colours only repeat what the
text says.
"""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from ....common.domain.durations import span
from ....common.runtime.cleaning import clean_line
from ..output import count, memory, rate
from .details import draw_detail
from .state import SECTIONS, ListEntry, Model

COLUMNS_MIN: Final = 40
LINES_MIN: Final = 8
BARS: Final = "▁▂▃▄▅▆▇█"
CELL: Final = 9  # columns of a cell in a list
NAME_COLUMNS: Final = 13  # at least, of the name before them
ROWS_MIN: Final = 2  # of each list that has so many, before any gets more
KEYS: Final = {
    "home": "q quit  ↑↓ choose  enter open  p pause/resume  r retry failed  ? help",
    "queue": "esc back  ↑↓ choose  enter open  p pause/resume  r retry failed  q quit",
    "array": "esc back  ↑↓ choose  enter open  q quit",
    "worker": "esc back  ↑↓ choose  enter open  q quit",
    "task": "esc back  ↑↓ scroll  q quit",
    "help": "esc back  q quit",
}


def draw(model: Model, width: int, height: int, now: float) -> list[Text]:
    """Exactly ``height`` lines of at most ``width`` columns; ``now`` in Unix seconds."""
    width, height = max(width, COLUMNS_MIN), max(height, LINES_MIN)
    lines = _header(model, width, now)
    left = height - len(lines) - 1
    if model.snapshot is None:
        body = [Text("waiting for the master …", style="dim")]
    elif model.view.kind == "home":
        body = _home(model, width, left, now)
    else:
        body = draw_detail(model, width, left, now)
    body = [*body[:left], *(Text() for _ in range(left - len(body)))]
    lines = [*lines, *body, _footer(model)]
    for line in lines:
        # Text of others must not move the cursor.
        if not line.plain.isprintable():
            line.plain = clean_line(line.plain)
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
    return lines


def sparkline(values: tuple[float, ...], width: int) -> str:
    """The last values as bars, the highest of them full."""
    values = values[-width:]
    top = max(values, default=0.0)
    if top <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int(value / top * len(BARS)))] for value in values)


def bar(part: int, whole: int, width: int) -> str:
    """``████░░░░``"""
    # Rounded up: one busy slot of a hundred shows.
    full = 0 if not whole else min(width, -(-part * width // whole))
    return "█" * full + "░" * (width - full)


def shares(wanted: list[int], room: int) -> list[int]:
    """The number of rows of each list: each gets a few, the rest goes to the list that lacks most."""
    given = [min(want, ROWS_MIN) for want in wanted]
    while sum(given) > max(room, 0):
        # On a very small screen the list with the most rows gives way.
        given[given.index(max(given))] -= 1
    while sum(given) < room and given != wanted:
        lacking = [want - got for want, got in zip(wanted, given, strict=True)]
        # Row by row to the shortest one that lacks any: lists grow alike.
        most = max(range(len(wanted)), key=lambda index: (lacking[index] > 0, -given[index]))
        given[most] += 1
    return given


def window(rows: int, chosen: int | None, room: int) -> range:
    """Which rows are shown so that the chosen one is among them."""
    start = 0 if chosen is None else max(0, min(chosen - room // 2, rows - room))
    return range(start, min(rows, start + room))


def _header(model: Model, width: int, now: float) -> list[Text]:
    snapshot = model.snapshot
    if snapshot is None:
        return [_reconnecting(model, now) or Text("tq top", style="bold")]
    first = Text.assemble(
        ("tq ", "bold"),
        snapshot.get("version", ""),
        f"  up {span(max(0.0, snapshot['now'] - snapshot['started']))}" if "started" in snapshot else "",
        f"  commit {span(snapshot['commit_seconds'])}" if snapshot.get("commit_seconds") else "",
        f" ({snapshot['durability']})" if "durability" in snapshot else "",
    )
    speed = Text.assemble((rate(snapshot["rate"]) or "idle", "bold green"), "  ")
    speed.append(sparkline(model.rates, max(4, width - len(first) - len(speed) - 2)), style="green")
    gap = " " * max(2, width - len(first) - len(speed))
    top = Text.assemble(first, gap, speed)
    return [_reconnecting(model, now) or top, _totals(snapshot)]


def _totals(snapshot: dict[str, Any]) -> Text:
    workers = snapshot["workers"]
    here = [row for row in workers if row["connected"]]
    slots = sum(row["slots"] for row in here)
    words = [f"{count(slots)} slots"]
    for word, states in TOTALS.items():
        tasks = sum(row[state] for row in snapshot["queues"] for state in states)
        if tasks or word in ("ready", "running"):
            words.append(f"{count(tasks)} {word}")
    return Text("  ".join(words), style="dim")


def _reconnecting(model: Model, now: float) -> Text | None:
    if model.lost_since is None:
        return None
    away = span(max(0.0, now - model.lost_since))
    return Text(f" the master does not answer; reconnecting, for {away} now … ", style="bold white on red")


def _footer(model: Model) -> Text:
    if model.question is not None:
        return Text.assemble((f" {model.question.text} ", "bold black on yellow"), " y / n")
    if model.message:
        return Text(f" {model.message} ", style="bold black on cyan")
    return Text(KEYS[model.view.kind], style="dim")


def _home(model: Model, width: int, room: int, now: float) -> list[Text]:
    snapshot = model.snapshot or {}
    listed = {section: snapshot[section] for section in SECTIONS}
    given = shares([max(1, len(rows)) for rows in listed.values()], room - 2 * len(SECTIONS) + 1)
    lines: list[Text] = []
    for (section, rows), share in zip(listed.items(), given, strict=True):
        if lines:
            lines.append(Text())
        absent = snapshot.get("absent") if section == "workers" else None
        lines.append(_title(section, rows, width, f" ({absent:,} absent)" if absent else ""))
        if not rows:
            lines.append(Text(EMPTY[section], style="dim"))
            continue
        at = _chosen(model.cursor, section, rows)
        for index in window(len(rows), at, share):
            line = _ROWS[section](rows[index], width, now)
            if index == at:
                line.pad_right(max(0, width - line.cell_len))
                # Colours of cells on a reversed line would be unreadable.
                line.spans.clear()
                line.stylize("reverse")
            elif model.lost_since is not None:
                line.stylize("dim")
            lines.append(line)
    return lines


def _chosen(cursor: ListEntry | None, section: str, rows: list[dict[str, Any]]) -> int | None:
    if cursor is None or cursor.section != section:
        return None
    keys = [_key(section, row) for row in rows]
    # By key and not by place: rows move between two frames, and the cursor stays with its row.
    return keys.index(cursor.key) if cursor.key in keys else None


def _key(section: str, row: dict[str, Any]) -> str:
    return str(
        row["name"] if section == "queues" else row["node"] if section == "workers" else row["id"].hex()
    )


def _title(section: str, rows: list[Any], width: int, besides: str) -> Text:
    titles = {
        "queues": _cells(
            width, f"QUEUES {len(rows)}", ("ready", "running", "sched", "failed", "rate", "oldest")
        ),
        "workers": _cells(
            width, f"WORKERS {len(rows)}{besides}", ("slots", "", "rate", "memory", "seen", "state")
        ),
        "running": "RUNNING LONGEST",
        "failing": "FAILED LAST",
    }
    return Text(titles[section], style="bold")


def _cells(width: int, name: str, cells: tuple[str, ...]) -> str:
    """A name and as many columns to the right of it as there is room for: six from 67 on."""
    cells = cells[: max(0, (width - NAME_COLUMNS) // CELL)]
    left = width - len(cells) * CELL
    name = name if len(name) < left else name[: left - 2] + "…"
    return f"{name:{left}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def _stylize(line: Text, width: int, cell: int, style: str) -> None:
    """Colour a cell; six from the right on it is the first."""
    if width >= NAME_COLUMNS + 6 * CELL:
        line.stylize(style, width - cell * CELL, width - (cell - 1) * CELL)


def _queue(row: dict[str, Any], width: int, now: float) -> Text:
    failed = row["failed"] + row["dead"] + row["lost"]
    oldest = row["oldest_ready_seconds"]
    cells = (
        *(count(row[state]) for state in ("ready", "running", "scheduled")),
        count(failed),
        rate(row["rate"]),
        "" if oldest is None else span(oldest),
    )
    name = row["name"] + (" (paused)" if row["paused"] else "")
    line = Text(_cells(width, name, cells))
    if row["paused"]:
        line.stylize("yellow", 0, len(name))
    if failed:
        _stylize(line, width, 3, "red")
    return line


def _worker(row: dict[str, Any], width: int, now: float) -> Text:
    busy = row["running"]
    cells = (
        f"{busy}/{row['slots']}",
        bar(busy, row["slots"], 8),
        rate(row["rate"]),
        memory(row["memory_bytes"]),
        span(max(0.0, now - row["last_seen"])),
        {"reconnecting": "away"}.get(row["state"], row["state"]),
    )
    line = Text(_cells(width, f"{row['host']} {row['node'][:4]}", cells))
    style = {"here": "green", "draining": "yellow"}.get(row["state"], "red")
    _stylize(line, width, 5, "cyan")
    _stylize(line, width, 1, style)
    return line


def _running(row: dict[str, Any], width: int, now: float) -> Text:
    took = span(max(0.0, now - row["started"])) if row["started"] else ""
    where = f" on {row['worker']}" if row["worker"] else ""
    attempt = f", attempt {row['attempt']}" if row["attempt"] > 1 else ""
    return Text.assemble(
        f"{took:>8}  ", (row["name"], "cyan"), f"  {row['queue']}{where}{attempt}", _progress(row)
    )


def _progress(row: dict[str, Any]) -> str:
    match row["progress"]:
        case [int() | float() as done, int() | float() as total, *_] if total:
            return f"  {min(1.0, done / total):.0%}"
        case [int() | float() as done, None, *_]:
            return f"  {done:,g} done"
    return ""


def _failing(row: dict[str, Any], width: int, now: float) -> Text:
    ago = span(max(0.0, now - row["at"]))
    error = row["error"].partition("\n")[0]
    return Text.assemble(f"{count(row['tasks']):>5} × ", (row["name"], "red"), f"  {ago} ago  {error}")


TOTALS: Final = {
    "ready": ("ready",),
    "running": ("running",),
    "failed": ("failed", "dead", "lost"),
    "scheduled": ("scheduled",),
    "blocked": ("blocked",),
    "done": ("succeeded",),
}
EMPTY: Final = {
    "queues": "none yet; submit a task",
    "workers": "none; start one: tq-worker --connect … MODULE",
    "running": "nothing",
    "failing": "nothing since the master started",
}
_ROWS: Final = {"queues": _queue, "workers": _worker, "running": _running, "failing": _failing}
