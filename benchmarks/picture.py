"""A reading as a picture: tasks a second of tq, its floor and its peers, and how much of each goal is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from .readings import Gathered
from .rows import PEERS, rows

OURS, FLOOR, DURABLE, IN_MEMORY, MISSED = "#1f6feb", "#9aa4b2", "#57606a", "#c9d1d9", "#d1495b"
WIDTH_INCHES: Final = 9.0  # of a page of text: what is drawn wider is shrunk until its letters cannot be read
BAR_INCHES, FRAME_INCHES = 0.27, 0.75  # height of a bar with its gap; of a panel's title and axis
REACHED_MAX: Final = 3.0  # a bar of a goal reached many times over would hide the others
LABEL_ROOM: Final = 8.0  # times the longest bar of a logarithmic axis: its figure stands behind it
SALT: Final = "tq"  # the same figures make the same file


class Rate(NamedTuple):
    tasks: float
    name: str
    color: str


class Reached(NamedTuple):
    name: str
    share: float
    is_met: bool


def draw(gathered: Gathered, file: Path) -> None:
    """Write an SVG; needs matplotlib, which the extra ``bench`` installs."""
    save(figure_of(rates_of(gathered.medians), goals_of(gathered.medians)), file)


def rates_of(numbers: dict[str, float]) -> list[Rate]:
    named = [
        ("bare array floor", "floor.arrays.1000.tasks", FLOOR),
        ("floor with a row a task", "floor.tasks", FLOOR),
        ("tq: TLS, every commit synced", "noop.tasks", OURS),
        ("Pool, chunk 1 (local, in memory)", "pool.tasks", IN_MEMORY),
        ("BaseManager tutorial (in memory)", "tutorial.tasks", IN_MEMORY),
        *((f"{title}, synced", f"peer.{peer}.durable", DURABLE) for peer, title in PEERS.items()),
        *((f"{title}, in memory", f"peer.{peer}.memory", IN_MEMORY) for peer, title in PEERS.items()),
    ]
    return sorted(Rate(numbers[key], name, color) for name, key, color in named if key in numbers)


def goals_of(numbers: dict[str, float]) -> list[Reached]:
    made = [(row.title.replace("`", ""), row.goal) for row in rows(numbers, {}) if row.goal is not None]
    return [Reached(f"{title} ({goal.words})", goal.reached, goal.met) for title, goal in reversed(made)]


def figure_of(rates: list[Rate], goals: list[Reached]) -> Any:
    """Two panels, one below the other: beside each other the names of one would run into the figures of the other."""
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
    heights = [len(panel) * BAR_INCHES + FRAME_INCHES for panel in (rates, goals)]
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(WIDTH_INCHES, sum(heights)), height_ratios=heights, layout="constrained"
    )
    _draw_rates(upper, rates)
    _draw_goals(lower, goals)
    return figure


def save(figure: Any, file: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
    lines = [line.rstrip() for line in file.read_text("utf-8").splitlines()]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def _draw_rates(axes: Any, rates: list[Rate]) -> None:
    tasks = [rate.tasks for rate in rates]
    drawn = axes.barh([rate.name for rate in rates], tasks, color=[rate.color for rate in rates])
    axes.bar_label(drawn, [f"{rate:,.0f}" for rate in tasks], padding=3)
    axes.set_xscale("log")
    if tasks:
        axes.set_xlim(min(tasks) / 4, max(tasks) * LABEL_ROOM)
    axes.margins(y=0.01)
    axes.set_title("no-op tasks per second, end to end, 2 workers (log scale)", loc="right")


def _draw_goals(axes: Any, goals: list[Reached]) -> None:
    shares = [min(REACHED_MAX, goal.share) for goal in goals]
    axes.barh(range(len(goals)), shares, color=[OURS if goal.is_met else MISSED for goal in goals])
    for place, goal in enumerate(
        goals
    ):  # in a column at the end: behind its bar a figure would cross the line
        text = f"{goal.share:.2f}" if goal.share < REACHED_MAX else f"> {REACHED_MAX:g}"
        axes.text(REACHED_MAX * 1.02, place, text, va="center")
    axes.set_yticks(range(len(goals)), [goal.name for goal in goals])
    axes.axvline(1, color="black", linewidth=1)
    axes.margins(y=0.01)
    axes.set_xlim(0, REACHED_MAX * 1.15)
    axes.set_title("figure against goal: 1 is met", loc="right")
