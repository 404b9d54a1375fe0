"""The benchmark suite works: a small reading of the floor by the program, and the table on numbers made here."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.cluster.programs import eventually

ROOT = Path(__file__).resolve().parents[2]
# By name: the suite is no part of what is installed, and is imported in a test.
MEASUREMENTS = [
    "floor",
    "floor-arrays",
    "noop",
    "async",
    "stdlib-peers",
    "pools",
    "enqueue",
    "trips",
    "short",
    "values",
    "idle",
    "crowd",
    "backlog",
    "singles",
    "ended",
    "purge",
    "transactions",
    "graphs",
    "crawl",
    "controls",
    "postgres",
    "takeover",
    "rest",
    "processes",
    "edges",
    "page",
    "peers",
]
FLOOR_AND_FIGURES = {
    "noop.tasks": 45_000.0,
    "noop.busy_seconds": 30e-6,
    "floor.tasks": 100_000.0,
    "floor.arrays.1000.tasks": 400_000.0,
    "floor.arrays.1000.busy_seconds": 3e-6,
    "floor.arrays.trip_p50_seconds": 1e-3,
    "floor.arrays.trip_p99_seconds": 3e-3,
    "floor.trip_fsync_seconds": 0.7e-3,
    "trip.fsync.p50_seconds": 2e-3,
    "trip.fsync.p99_seconds": 3e-3,
    "floor.trip_os_seconds": 0.3e-3,
    "trip.os.p50_seconds": 1e-3,
    "trip.os.p99_seconds": 2e-3,
    "floor.trip_memory_seconds": 0.3e-3,
    "trip.memory.p50_seconds": 1e-3,
    "trip.memory.p99_seconds": 2e-3,
    "pool.tasks": 50_000.0,
    "tutorial.tasks": 5_000.0,
    "peer.rq.durable": 500.0,
    "peer.huey-sqlite.durable": 1_000.0,
}


class Benchmarks:
    """The suite's modules. It is no part of what is installed: it is run in the tree."""

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Benchmarks:
    monkeypatch.syspath_prepend(ROOT)
    return Benchmarks()


def reading(suite: Benchmarks, notes: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    gathered = suite.readings.Gathered()
    gathered.add(suite.readings.Readings(numbers=FLOOR_AND_FIGURES, notes=notes or {}))
    return gathered


@pytest.mark.parametrize(
    ("name", "shown"), [("floor", "floor tasks/s"), ("floor-arrays", "bare array floor")]
)
def test_a_quick_reading_of_a_floor_gives_every_part_and_leaves_the_documentation_alone(
    tmp_path: Path, name: str, shown: str
) -> None:
    document = (ROOT / "docs/performance.md").read_bytes()
    file = tmp_path / "reading.json"
    options = ["--quick", "--runs", "1", "--only", name, "--json", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    kept = json.loads(file.read_text("utf-8"))
    assert kept["notes"] == {}
    for what, numbers in kept["runs"].items():
        # The kernel counts processor time in hundredths of a second: so little work may take none.
        least = 0 if what.endswith("busy_seconds") else sys.float_info.min
        assert min(numbers) >= least, what
    assert (ROOT / "docs/performance.md").read_bytes() == document


def test_a_transaction_is_measured_with_workers_that_are_connected(suite: Benchmarks) -> None:
    few = dataclasses.replace(suite.scale.QUICK, transactions=40, transaction_workers=20)
    gathered = suite.suite.run(["transactions"], few, 1)
    assert gathered.notes == {}
    assert gathered.medians["transaction.many_workers"] == 20


@pytest.mark.thorough  # each starts a cluster of its own; that they are called rightly, mypy sees
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_measurement_works_at_its_smallest(suite: Benchmarks, name: str) -> None:
    gathered = suite.suite.run([name], suite.scale.QUICK, 1)
    assert [note for name, note in gathered.notes.items() if name.startswith("failed.")] == []
    assert gathered.runs or gathered.notes, "it has measured, or says what is not installed"


def test_every_measurement_is_tried(suite: Benchmarks) -> None:
    assert list(suite.suite.MEASUREMENTS) == MEASUREMENTS


def test_every_figure_stands_beside_another_and_its_goal_is_judged(suite: Benchmarks) -> None:
    text = suite.table.report(reading(suite), machine="a machine", command="a command", runs=3)
    assert "| no-op tasks end to end, every result in the client's hand | 45,000 /s |" in text
    assert "| … against the floor | 0.45 × | floor of the same task: 100,000 /s | ≥ 0.5 × | **no** |" in text
    assert "| … against the bare array floor | 0.11 × | arrays of 1,000, bare: 400,000 /s | ≥ 0.4 × |" in text
    assert (
        "| … processor time a task, all processes | 30.00 µs | arrays of 1,000, bare: 3.00 µs | ≤ 9 µs |"
        in text
    )
    assert "| … p50 against the bare array floor | 2.00 × | an array of one, bare: 1.00 / 3.00 ms |" in text
    assert "| … p99 against p50 | 1.50 × |  | ≤ 2 × | yes |" in text
    assert "| … against `Pool` | 0.90 × |" in text
    assert "Huey on SQLite, the fastest durable peer: 1,000 /s | ≥ 4 × | yes |" in text


def minutes_of(suite: Benchmarks, count: int, **changed: float):  # type: ignore[no-untyped-def]
    """All alike, but for the last five."""
    figures = {
        "results": 40_000.0,
        "file_bytes": 90e6,
        "master_bytes": 60e6,
        "worker_bytes": 80e6,
        "client_bytes": 50e6,
    }
    minute = suite.soak_minutes.Minute
    before = [minute(asked=40_000.0, trips=[2e-3] * 99 + [5e-3], killed="child", **figures)] * (count - 5)
    return before + [minute(asked=40_000.0, trips=[2e-3], killed="master", **{**figures, **changed})] * 5


def test_a_soak_compares_the_first_minutes_with_the_last_and_says_what_has_grown(suite: Benchmarks) -> None:
    def verdict(**changed: float) -> str:
        minutes = minutes_of(suite, 20, **changed)
        return str(suite.soak_minutes.report(minutes, command="a command", machine="a machine"))

    assert "| 20 | 40,000 /s | 2.00 ms / 2.00 ms | 90 MB | 60 MB | 80 MB | 50 MB | master |" in verdict()
    assert "p99 of a round trip -60.0%" in verdict(), "to become better is no fault"
    assert "; flat within ten per cent." in verdict()
    assert "memory of the master +11.0%" in verdict(master_bytes=66.6e6)
    assert "**not flat within ten per cent**" in verdict(master_bytes=66.6e6)
    assert "**not flat within ten per cent**" in verdict(results=35_000.0)
    assert suite.soak_minutes.changes(minutes_of(suite, 12)) == {}, "too few to compare"


def test_rows_of_arrays_have_their_goals_and_what_was_not_measured_has_none(suite: Benchmarks) -> None:
    numbers = {
        "pools.pool.1.local.items": 20_000.0,
        "pools.pool.1.tq.items": 30_000.0,
        "pools.chosen.items": 90_000.0,
        "purge.before_seconds": 2e-3,
        "purge.during_seconds": 5e-3,
        "purge.share": 0.08,
        "purge.tasks": 70_000.0,
    }
    rows = suite.array_rows.array_rows(numbers)
    assert [(row.figure, row.goal.met) for row in rows] == [
        ("30,000 /s, 1.50 ×", True),
        ("90,000 /s, 4.50 ×", False),
        ("5.00 ms", False),
        ("8.0%", True),
    ]


def test_rows_of_a_master_on_postgresql_stand_beside_one_with_a_file(suite: Benchmarks) -> None:
    assert suite.database_rows.database_rows({}) == []
    each = {"tasks": (60_000.0, 100_000.0), "trip_seconds": (2e-3, 1e-3), "master_seconds": (6e-6, 5e-6)}
    numbers = {
        f"database.{kind}.{name}": value
        for name, values in each.items()
        for kind, value in zip(("postgres", "file"), values, strict=True)
    }
    rows = suite.database_rows.database_rows(numbers)
    assert [(row.figure, row.goal and row.goal.met) for row in rows] == [
        ("60,000 /s, 0.60 ×", True),
        ("2.00 ms", None),
        ("6.00 µs", None),
    ]
    rows = suite.database_rows.database_rows({**numbers, "database.pgqueuer.tasks": 12_000.0})
    assert (rows[1].title, rows[1].figure) == ("… against PgQueuer on PostgreSQL", "5.0 ×")


def test_rows_of_processes_stand_beside_one_shard(suite: Benchmarks) -> None:
    assert suite.process_rows.process_rows({}) == []
    numbers = {
        f"processes.{kind}.{what}": value
        for kind, values in {"one": (100e3, 4e-6), "shards": (90e3, 5e-6), "processes": (80e3, 6e-6)}.items()
        for what, value in zip(("tasks", "master_seconds"), values, strict=True)
    }
    assert [row.figure for row in suite.process_rows.process_rows(numbers)] == [
        "90,000 /s (0.90 ×)",
        "5.00 µs (1.25 ×)",
        "80,000 /s (0.80 ×)",
        "6.00 µs (1.50 ×)",
    ]


def test_rows_of_edges_stand_beside_those_within_a_shard(suite: Benchmarks) -> None:
    assert suite.edge_rows.edge_rows({}) == []
    names = ("link_seconds", "chain_seconds", "join.tasks", "join_seconds")
    numbers = {
        f"edges.{kind}.{what}": value
        for kind, values in {
            "within": (1e-3, 100e-6, 40e3, 10e-6),
            "shards": (2e-3, 150e-6, 30e3, 12e-6),
            "processes": (4e-3, 200e-6, 20e3, 15e-6),
        }.items()
        for what, value in zip(names, values, strict=True)
    }
    rows = suite.edge_rows.edge_rows(numbers)
    assert [row.figure for row in rows[:4]] == [
        "2.00 ms (2.00 ×)",
        "150.00 µs (1.50 ×)",
        "30,000 /s (0.75 ×)",
        "12.00 µs (1.20 ×)",
    ]
    assert rows[0].beside == "in one shard: 1.00 ms"


def test_rows_of_a_take_over_say_its_worst(suite: Benchmarks) -> None:
    numbers = {
        f"takeover.{way}.{what}": value
        for way, values in {"kill": (4.5, 11.0, 100.0), "stop": (0.7, 1.4, 20.0)}.items()
        for what, value in zip(("p50_seconds", "worst_seconds", "times"), values, strict=True)
    }
    rows = suite.database_rows.database_rows(numbers)
    assert [(row.figure, row.beside, row.goal.met) for row in rows] == [
        ("p50 4.50 s, worst 11.00 s", "of 100", False),
        ("p50 0.70 s, worst 1.40 s", "of 20", True),
    ]


def test_rows_of_masters_at_rest_say_what_they_ask_of_the_database(suite: Benchmarks) -> None:
    numbers = {
        **{
            f"rest.{who}.{what}": 0.01
            for who in ("serves", "stands_by", "database")
            for what in ("cpu_share",)
        },
        "rest.serves.bytes": 70e6,
        "rest.stands_by.bytes": 60e6,
        "rest.database.statements": 7.0,
        "rest.database.connections": 4.0,
        "rest.one.cpu_share": 0.002,
        "rest.one.bytes": 45e6,
        "rest.shard.cpu_share": 0.0001,
        "rest.shard.bytes": 1.25e6,
    }
    shard, serves, database = suite.database_rows.database_rows(numbers)
    assert (shard.figure, shard.beside) == ("0.010%, 1.2 MB", "a master with one: 0.200%, 45 MB")
    assert (serves.figure, serves.beside) == ("1.00%, 70 MB", "one that stands by: 1.00%, 60 MB")
    assert (database.figure, database.beside) == ("1.00%", "7.0 statements/s over 4 connections")


def test_rows_of_tasks_that_need_others_stand_beside_the_same_tasks_without_needs(suite: Benchmarks) -> None:
    assert suite.graph_rows.graph_rows({}, {}) == []
    numbers = {
        "graphs.plain.tasks": 50_000.0,
        "graphs.join.tasks": 40_000.0,
        "graphs.trip_seconds": 1e-3,
        "graphs.chain.link_seconds": 2.5e-3,
        "graphs.pairs.tasks": 9_000.0,
        "graphs.memory_bytes": 10e6,
        "graphs.dask.tasks": 4_000.0,
    }
    rows = suite.graph_rows.graph_rows(numbers, {"graphs.celery.memory.tasks": "not measured: no redis"})
    assert [(row.figure, row.goal and row.goal.met) for row in rows] == [
        ("40,000 /s, 0.80 ×", True),
        ("not measured: no redis", None),
        ("10.00 ×", True),
        ("2.50 ms", False),
        ("9,000 /s", None),
        ("10 MB", True),
    ]


def test_what_could_not_be_measured_says_why(suite: Benchmarks) -> None:
    notes = {"peer.celery.durable": "not measured: no redis", "failed.crowd": "not measured: OSError: no"}
    text = suite.table.report(reading(suite, notes), machine="", command="", runs=1)
    assert "| Celery on Redis, every write synced | not measured | no redis |" in text
    assert "not measured: OSError: no" in text


def test_a_figure_is_the_median_of_its_runs(suite: Benchmarks) -> None:
    gathered = suite.readings.Gathered()
    for number in (1.0, 9.0, 2.0):
        gathered.add(suite.readings.Readings(numbers={"x": number}))
    assert gathered.medians == {"x": 2.0}


def test_a_peer_whose_server_is_not_installed_says_what_to_install(
    suite: Benchmarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite.redis_server, "installed", lambda: None)
    monkeypatch.setattr(suite.postgres_server, "installed", lambda: None)
    readings = suite.readings.Readings()
    for peer in suite.peers.PEERS:
        suite.peers.measure_peer(peer, peer.name, "durable", 1, readings)
    assert readings.notes["dramatiq"].endswith("redis-server is not installed: apt-get install redis-server")
    assert readings.notes["pgqueuer"].endswith("PostgreSQL is not installed: apt-get install postgresql")
    assert readings.numbers == {}


@pytest.mark.parametrize("durable", [True, False])
def test_a_postgresql_of_the_benchmarks_own_is_started_and_leaves_nothing(
    suite: Benchmarks, durable: bool
) -> None:
    programs = suite.postgres_server.installed()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with suite.postgres_server.postgres(durable=durable) as url:
        asking = [programs / "psql", "-At", "-c", "SHOW fsync", url]
        asked = subprocess.run(asking, capture_output=True, text=True, timeout=30)
        assert asked.stdout == ("on\n" if durable else "off\n"), asked.stderr
    assert not Path(url.partition("host=")[2]).exists()


def test_a_postgresql_ends_with_the_process_that_made_it_however_that_ends(suite: Benchmarks) -> None:
    if suite.postgres_server.installed() is None:
        pytest.skip("PostgreSQL is not installed")
    program = (
        "from tests.postgres_server import PostgresServer; import os; server = PostgresServer(); server.start(); "
        "print(server.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    folder = Path(ended.stdout.strip())
    assert ended.returncode == -9, ended.stderr
    assert folder.name.startswith("tq-postgres-")
    eventually(lambda: not folder.exists())  # the last thing that is done, behind the server's end


def test_a_measurement_that_fails_is_noted_and_the_others_go_on(
    suite: Benchmarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(scale: object) -> None:
        raise OSError("no disk")

    monkeypatch.setitem(suite.suite.MEASUREMENTS, "floor", fails)
    monkeypatch.setitem(
        suite.suite.MEASUREMENTS, "noop", lambda scale: suite.readings.Readings(numbers={"noop.tasks": 1.0})
    )
    gathered = suite.suite.run(["floor", "noop"], suite.scale.QUICK, 2)
    assert gathered.runs == {"noop.tasks": [1.0, 1.0]}
    assert gathered.notes == {"failed.floor": "not measured: OSError: no disk"}


def test_what_a_figure_stands_beside_is_measured_with_it(suite: Benchmarks) -> None:
    assert suite.suite.with_what_stands_beside(["trips"]) == ["floor", "floor-arrays", "trips"]


def test_the_frames_of_the_bare_array_floor_come_whole_however_the_stream_is_cut(suite: Benchmarks) -> None:
    programs = suite.floor_programs
    ours, theirs = socket.socketpair()
    sender, reader = programs.Link(ours), programs.Link(theirs)
    frames = [programs.Frame(number, number + 1, bytes([number]) * 300_000 * number) for number in range(4)]
    for frame in frames:
        sender.add(frame)
    got = []
    while len(got) < len(frames):  # more than the socket holds: each side goes on when the other has
        sender.flush()
        got += reader.frames()
    assert got == frames
    assert not sender.unsent
    sender.close()
    with pytest.raises(EOFError):
        reader.frames()
    reader.close()


def test_the_figures_take_their_place_and_the_prose_stays(suite: Benchmarks) -> None:
    table = suite.table
    once = table.placed(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", "new\n")
    assert once == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    assert table.placed(once, "new\n") == once
    with pytest.raises(ValueError, match="no place for figures"):
        table.placed("a document", "new\n")


def test_the_documentation_has_the_place(suite: Benchmarks) -> None:
    document, table = (ROOT / "docs/performance.md").read_text("utf-8"), suite.table
    assert table.placed(document, "") != ""
    assert table.placed(document, "", table.SOAK_BEGIN, table.SOAK_END) != ""


def test_a_picture_is_drawn_where_the_library_is_there(suite: Benchmarks, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for file in (first, second):
        suite.picture.draw(reading(suite), file)
    assert first.read_text("utf-8").rstrip().endswith("</svg>")
    assert first.read_bytes() == second.read_bytes()


def test_no_words_of_the_picture_run_into_others(suite: Benchmarks) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    numbers = reading(suite).medians
    figure = suite.picture.figure_of(suite.picture.rates_of(numbers), suite.picture.goals_of(numbers))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in drawn]
    inside = [
        (text, box) for text, box in boxes if figure.bbox.overlaps(box) and text != "3.5"
    ]  # past the axis
    assert len(inside) > 20
    assert not [(one, two) for (one, a), (two, b) in itertools.combinations(inside, 2) if a.overlaps(b)]
    assert not [text for text, box in inside if box.x0 < 0 or box.x1 > figure.bbox.x1]


def test_the_crawl_stands_beside_the_script_of_the_same_run(suite: Benchmarks) -> None:
    assert suite.crawl_rows.crawl_rows({}) == []
    names = ("urls", "busy_seconds", "server_seconds")
    tq, bare = (900.0, 400e-6, 150e-6), (1_000.0, 320e-6, 160e-6)
    numbers = {
        f"crawl.{who}.{name}": value
        for who, side in (("tq", tq), ("bare", bare))
        for name, value in zip(names, side, strict=True)
    }
    rate, busy, server = suite.crawl_rows.crawl_rows(numbers)
    assert (rate.figure, rate.goal.met, busy.goal.met) == ("900 /s, 0.90 ×", True, True)
    assert (busy.figure, busy.beside, server.figure) == ("400.00 µs", "the script: 320.00 µs", "150.00 µs")


def test_a_long_crawl_says_which_line_is_missing_and_which_program_has_grown(suite: Benchmarks) -> None:
    long = suite.crawl_long
    ticks = long.Ticks(4, "http://127.0.0.1:1/")
    for number in (0, 2, 2):
        ticks.take(
            b'{"url": "http://127.0.0.1:1/x", "requested": "http://127.0.0.1:1/%d", "body": ""}' % number
        )
    assert (ticks.lines, ticks.missing) == (3, 2)

    def looks(last: float, seconds: float) -> list[Any]:
        sizes = [50.0] * 8 + [last] * 2
        return [long.Look(index, seconds * (index + 1), {"master": size}) for index, size in enumerate(sizes)]

    assert long.grown(looks(55.0, 60.0)) == []
    assert long.grown(looks(56.0, 60.0)) == ["master: 50 MB in the second fifth, 56 MB in the last"]
    assert long.grown(looks(90.0, 6.0)) == []
    assert not long.is_judged(looks(90.0, 6.0))


def test_the_page_has_its_goals_at_a_million_tasks_and_for_open_pages(suite: Benchmarks) -> None:
    assert suite.page_rows.page_rows({}) == []
    numbers = {
        "page.tasks": 1e6,
        "page.open": 20.0,
        "page.rows.tasks.seconds": 0.2,
        "page.rows.tasks.busy_seconds": 0.1,
        "page.rows.tasks.first_busy_seconds": 0.15,
        "page.rows.failures.seconds": 0.4,
        "page.rows.failures.busy_seconds": 0.3,
        "page.rows.failures.first_busy_seconds": 0.35,
        "page.master_share": 0.01,
        "page.quiet_share": 0.03,
        "page.own_share": 0.1,
        "page.noop.share": 0.02,
        "page.noop.low": 0.0,
        "page.noop.high": 0.05,
        "page.noop.plain_seconds": 9e-6,
    }
    rows = suite.page_rows.page_rows(numbers)
    assert rows[0].title == "the slowest of 2 views at 1,000,000 tasks that are a row each: failures"
    assert [row.goal and row.goal.met for row in rows] == [False, True, False, None, True]
