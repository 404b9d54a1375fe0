"""Rows of what the page costs. Pure."""

from __future__ import annotations

from typing import Final

from .figures import Goal, Numbers, Row, show_seconds

PAINT_SECONDS_MAX: Final = 0.3
MASTER_SHARE_MAX: Final = 0.02
NOOP_SHARE_MAX: Final = 0.03
KINDS: Final = {"rows": "that are a row each", "arrays": "of a map", "ended": "of a map that have run"}


def page_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    made = [_slowest(kind, words, numbers) for kind, words in KINDS.items() if _views(kind, numbers)]
    if "page.master_share" in numbers:
        made.append(
            _share("what {pages} open pages take of the master while tasks end", "page.master_share", numbers)
        )
        made.append(_share("… while nothing happens", "page.quiet_share", numbers))
        made.append(
            Row(
                title="… and of the page's own process, while tasks end",
                figure=f"{numbers['page.own_share']:.1%} of a core",
            )
        )
    if "page.noop.share" in numbers:
        share, low, high = (numbers[f"page.noop.{name}"] for name in ("share", "low", "high"))
        goal = Goal(words=f"≤ {NOOP_SHARE_MAX:.0%} more", value=share, bound=NOOP_SHARE_MAX, most=True)
        title = f"no-op tasks while {numbers['page.open']:.0f} pages are open, processor time of client, master and worker"
        beside = f"without: {show_seconds(numbers['page.noop.plain_seconds'])} a task"
        made.append(
            Row(title=title, figure=f"{share:+.1%} ({low:+.1%} to {high:+.1%})", beside=beside, goal=goal)
        )
    return made


def _views(kind: str, numbers: Numbers, end: str = ".seconds") -> dict[str, float]:
    start = f"page.{kind}."
    return {
        name[len(start) : -len(end)]: value
        for name, value in numbers.items()
        if name.startswith(start) and name.endswith(end)
    }


def _slowest(kind: str, words: str, numbers: Numbers) -> Row:
    views = _views(kind, numbers)
    name = max(views, key=views.__getitem__)
    tasks, others = numbers["page.tasks"], sorted(views.values())
    busy = numbers[f"page.{kind}.{name}.busy_seconds"]
    first = _views(kind, numbers, ".first_busy_seconds")
    dearest = max(first, key=first.__getitem__)
    return Row(
        title=f"the slowest of {len(views)} views at {tasks:,.0f} tasks {words}: {name}",
        figure=show_seconds(views[name]),
        beside=f"processor time of page and master: {show_seconds(busy)}; "
        f"the median of the views: {show_seconds(others[len(others) // 2])}; the dearest first answer takes "
        f"{show_seconds(first[dearest])} of processor time: {dearest}",
        goal=Goal(words="≤ 300 ms", value=views[name], bound=PAINT_SECONDS_MAX, most=True),
    )


def _share(title: str, name: str, numbers: Numbers) -> Row:
    share = numbers[name]
    goal = Goal(words=f"≤ {MASTER_SHARE_MAX:.0%} of a core", value=share, bound=MASTER_SHARE_MAX, most=True)
    return Row(
        title=title.format(pages=f"{numbers['page.open']:.0f}"), figure=f"{share:.1%} of a core", goal=goal
    )
