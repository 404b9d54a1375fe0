"""Rows of the crawl. Pure."""

from __future__ import annotations

from .figures import Goal, Numbers, Row, show_rate, show_seconds, times

BUSY_SECONDS_MAX = 100e-6  # more than the script, for each URL


def crawl_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    if "crawl.tq.urls" not in numbers:
        return []
    rate, bare = numbers["crawl.tq.urls"], numbers["crawl.bare.urls"]
    busy, beside = numbers["crawl.tq.busy_seconds"], numbers["crawl.bare.busy_seconds"]
    served, also = numbers["crawl.tq.server_seconds"], numbers["crawl.bare.server_seconds"]
    title = "`tq map tq.tasks.http:fetch`, URLs of 50 ms, 200 at once, every commit synced"
    return [
        times(
            title, rate, bare, f"a bare aiohttp script: {show_rate(bare)}", least=0.8, figure=show_rate(rate)
        ),
        Row(
            title="… processor time a URL, all processes",
            figure=show_seconds(busy),
            beside=f"the script: {show_seconds(beside)}",
            goal=Goal(words="≤ 100 µs more", value=busy - beside, bound=BUSY_SECONDS_MAX, most=True),
        ),
        Row(
            title="… of the server, likewise",
            figure=show_seconds(served),
            beside=f"for the script: {show_seconds(also)}",
        ),
    ]
