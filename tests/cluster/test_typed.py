"""Typed arguments and results, with real programs: a child process, and a thread in its place."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest
import tq

pytestmark = pytest.mark.usefixtures("template")

WAIT_SECONDS = 30.0


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as a user's program finds it: by its own name."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("typed_tasks")


def test_arguments_and_results_are_what_the_function_says(tasks: Any) -> None:
    tea, milk = tasks.Line("tea", 2.5), tasks.Line("milk", 1, tasks.Color.BLUE)
    order = tasks.Order(7, [tea, milk], tasks.Place(0, 1))
    with tq.throwaway_cluster(tasks.app, slots=1) as app:
        first = tasks.cheapest.submit(order, {"gift": True})
        assert first.result(WAIT_SECONDS) == milk
        assert tasks.cheapest.submit(tasks.Order(1)).result(WAIT_SECONDS) is None
        both = tasks.merged.submit([order, order], by_name={"a": tea})
        assert both.result(WAIT_SECONDS) == tasks.Order(1, [tea, milk] * 2 + [tea], tasks.Place(1, 2))

        painted = tasks.painted.map([tea, milk])
        blue = [tasks.Line(one.item, one.price, tasks.Color.BLUE) for one in (tea, milk)]
        assert list(painted.results(WAIT_SECONDS)) == blue
        assert [one.result(WAIT_SECONDS) for one in tq.as_completed(painted[1:])] == blue[1:]
        with app.batch():
            batched = [tasks.painted.submit(one) for one in (tea, milk)]
        assert [one.result(WAIT_SECONDS) for one in batched] == blue

        # a result is an argument of the next task
        again = tasks.painted.submit(tasks.cheapest.submit(order), color=tasks.Color.RED)
        assert again.result(WAIT_SECONDS) == tasks.Line("milk", 1, tasks.Color.RED)
        chained = tq.chain(tasks.cheapest.s(order), tasks.painted.s()).submit()
        assert chained.result(WAIT_SECONDS) == blue[1]

        # another program knows the name only, and sends and gets plain data
        by_name = app.submit("typed_tasks:cheapest", {"number": 1, "lines": [{"item": "x", "price": 3}]})
        assert by_name.result(WAIT_SECONDS) == {"item": "x", "price": 3, "color": "red"}
        assert app.get(first.id).result(WAIT_SECONDS) == {"item": "milk", "price": 1, "color": "blue"}
        bad = app.submit("typed_tasks:cheapest", {"lines": []}).exception(WAIT_SECONDS)
        assert "order: Order needs the field 'number'" in str(bad)

        lie = tasks.lies.submit(5).exception(WAIT_SECONDS)
        assert "result: expected Line, got int 5" in str(lie)
        wrong = tasks.Order(1, [tea, tasks.Line("y", "x")])
        with pytest.raises(tq.InvalidArgument, match=r"^order.lines\[1\].price: expected float, got str 'x'"):
            tasks.cheapest.submit(wrong)
        with pytest.raises(tq.InvalidArgument, match=r"^line: expected Line, got str 'no'"):
            tasks.painted.map(["no"])


def test_at_the_standard_librarys_doors_in_threads_of_the_program(tasks: Any) -> None:
    tea, red = tasks.Line("tea", 2.5), tasks.Color.RED
    blue, lines = tasks.Line("tea", 2.5, tasks.Color.BLUE), [tea] * 5
    with tq.local(1, workers="threads") as q:
        assert q.submit(tasks.painted, tea).result(WAIT_SECONDS) == blue
        assert q.submit(tasks.painted, tea, color=red).result(WAIT_SECONDS) == tea
        for size in (1, 2):
            assert list(q.map(tasks.painted, lines, chunksize=size)) == [blue] * 5
            assert list(q.map(tasks.painted, lines, [red] * 5, chunksize=size)) == lines
        with pytest.raises(tq.InvalidArgument, match="line: expected Line, got int 5"):
            q.submit(tasks.painted, 5)
    with tq.local(1, workers="threads") as q, tq.Pool(app=q._app) as pool:
        assert pool.apply(tasks.painted, (tea,)) == blue
        assert pool.map(tasks.painted, lines) == [blue] * 5
        assert pool.starmap(tasks.painted, [(tea, red)] * 3, chunksize=2) == [tea] * 3
        assert list(pool.imap(tasks.painted, iter(lines))) == [blue] * 5
        reading = pool.imap(tasks.lies, [1, 2], chunksize=2)
        with pytest.raises(Exception, match="result: expected Line, got int 1"):
            next(reading)


def test_in_an_event_loop(tasks: Any) -> None:
    async def test() -> Any:
        handle = await tasks.painted.asubmit(tasks.Line("tea", 2.5))
        return await handle

    with tq.throwaway_cluster(tasks.app, slots=1):
        assert asyncio.run(test()) == tasks.Line("tea", 2.5, tasks.Color.BLUE)
