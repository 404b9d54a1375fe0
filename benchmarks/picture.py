"""A reading as a picture: tasks a second of tq, its floor and its peers, and how much of each goal is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .readings import Gathered
from .rows import PEERS, rows

OURS, FLOOR, DURABLE, IN_MEMORY, MISSED = "#1f6feb", "#9aa4b2", "#57606a", "#c9d1d9", "#d1495b"
SIZE_INCHES: Final = (13.0, 6.2)
REACHED_MAX: Final = 3.0  # a bar of a goal reached many times over would hide the others
SALT: Final = "tq"  # the same figures make the same file


def draw(gathered: Gathered, file: Path) -> None:
    """Write an SVG; needs matplotlib, which the extra ``bench`` installs."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams.update(
        {
            "svg.hashsalt": SALT,
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    figure, (left, right) = pyplot.subplots(1, 2, figsize=SIZE_INCHES, width_ratios=(5, 6))
    _rates(left, gathered.medians)
    _goals(right, gathered)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
    lines = [line.rstrip() for line in file.read_text("utf-8").splitlines()]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def _rates(axes: Any, numbers: dict[str, float]) -> None:
    named = [
        ("bare array floor", "floor.arrays.1000.tasks", FLOOR),
        ("floor with a row a task", "floor.tasks", FLOOR),
        ("tq: TLS, every commit synced", "noop.tasks", OURS),
        ("Pool, chunk 1 (local, in memory)", "pool.tasks", IN_MEMORY),
        ("BaseManager tutorial (in memory)", "tutorial.tasks", IN_MEMORY),
        *((f"{title}, synced", f"peer.{peer}.durable", DURABLE) for peer, title in PEERS.items()),
        *((f"{title}, in memory", f"peer.{peer}.memory", IN_MEMORY) for peer, title in PEERS.items()),
    ]
    bars = sorted(((numbers[key], name, color) for name, key, color in named if key in numbers))
    drawn = axes.barh(
        [name for _, name, _ in bars], [rate for rate, _, _ in bars], color=[c for _, _, c in bars]
    )
    axes.bar_label(drawn, [f"{rate:,.0f}" for rate, _, _ in bars], padding=3)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_title("no-op tasks per second, end to end, 2 workers (log scale)", loc="left")


def _goals(axes: Any, gathered: Gathered) -> None:
    made = [row for row in rows(gathered.medians, {}) if row.goal is not None][::-1]
    goals = [row.goal for row in made if row.goal is not None]
    names = [f"{row.title.replace('`', '')} ({goal.words})" for row, goal in zip(made, goals, strict=True)]
    lengths = [min(REACHED_MAX, goal.reached) for goal in goals]
    drawn = axes.barh(range(len(goals)), lengths, color=[OURS if goal.met else MISSED for goal in goals])
    labels = [f"{goal.reached:.2f}" if goal.reached < REACHED_MAX else f"> {REACHED_MAX:g}" for goal in goals]
    axes.bar_label(drawn, labels, padding=3)
    axes.set_yticks(range(len(goals)), names)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(0, REACHED_MAX * 1.1)
    axes.set_title("figure against goal: 1 is met", loc="left")
