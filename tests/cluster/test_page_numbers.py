"""One cluster with tasks in every state, and the numbers of the page, of the command and of ``/metrics`` beside each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock
from xprocess import XProcess

from .page_client import Browser, PageProgram
from .programs import TASKS_FILE, Master, Worker, eventually, run_program
from .test_metrics import Families, families

STATES = tuple(map(str, tq.State))
FAILED = ("failed", "dead", "lost")
OF_THE_MOMENT = (
    "rate",
    "come",
    "gone",
    "oldest_ready_seconds",
    "empty_in",
    "why",
)  # they change when nothing happens


class Sources(NamedTuple):
    """The three, as one asks them."""

    master: Master
    browser: Browser
    home: Path

    def page(self, path: str) -> Any:
        """The table of a view, as its file."""
        return json.loads(self.browser.get(f"{path}{'&' if '?' in path else '?'}format=json").text)

    def command(self, *words: object) -> Any:
        environment = {"TQ_URL": self.master.url, "TQ_AUTHKEY": self.master.key("admin")}
        done = run_program("tq", *words, "--json", home=self.home, environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def metrics(self) -> Families:
        return families(self.master)


@pytest.fixture(scope="module")
def sources(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    home = tmp_path_factory.mktemp("numbers")
    programs: list[Any] = [Master(xprocess, home, "--http", "127.0.0.1:0")]
    (master,) = programs
    try:
        master.start()
        programs.append(Worker(xprocess, home, master.address, master.authkey, "--slots", 2, TASKS_FILE))
        programs[-1].start()
        with tq.App(master.url, master.key("admin"), role="admin") as app:
            fill(app, home)
            programs.append(PageProgram(xprocess, home, master))
            programs[-1].start()
            browser = Browser(programs[-1].url)
            assert browser.log_in(master.key("admin")).status == 303
            yield Sources(master, browser, home)
    finally:
        for program in reversed(programs):
            program.end()


def fill(app: tq.App, home: Path) -> None:
    """Tasks in every state that a state can be brought about in, and what holds others back; it comes to rest."""
    echo, nowhere = app.named("cluster_tasks:echo"), app.named("nowhere:served")
    ended = [
        echo.using(queue="done").map(range(1_234)),
        app.named("cluster_tasks:fail_seldom", queue="partly").map(range(2_500)),
        app.named("cluster_tasks:fail", queue="broken").using(retries=1, backoff=0.01).map(["a", "b", "c"]),
        app.named("cluster_tasks:leave", queue="deadly").using(max_crashes=1).map([3, 3]),
    ]
    for handles in ended:
        assert handles.wait(40)
    # one array with tasks in many states: ended, to be retried in an hour, and never served
    app.named("cluster_tasks:fail", queue="retried").using(retries=3, backoff=3_600.0).map(["later"] * 3)
    app.named("cluster_tasks:doze", queue="snoozed").submit(str(home / "dozed"), 3_600.0)
    nowhere.using(queue="cold", delay=3_600.0).map([1] * 11)
    needed = nowhere.using(queue="needed").submit()
    app.named("cluster_tasks:add", queue="blocked").submit(needed, 1)
    many = nowhere.using(queue="cancelled").map([1] * 20)
    for handle in many[5:12]:
        handle.cancel()
    late = nowhere.using(queue="late", expires=0.1).map([1])
    assert late.wait(20)
    items = ItemQueue(app.session, "items")
    for number in range(5):
        items.put(number)
    nowhere.using(queue="of-tenants", tenant="acme").map([1] * 7)
    nowhere.using(queue="limited", limits=[tq.Limit("smtp", max_running=3)]).map([1] * 9)
    app.call(("get_task_queue", "paused"), "pause", "for the numbers")
    echo.using(queue="paused").map([1] * 1_001)
    with app.flow("of two"):
        flow_task = nowhere.using(queue="of-a-flow").submit()
        nowhere.using(queue="of-a-flow").submit(flow_task)
    app.schedules.add("nightly", "nowhere:served", cron="0 3 * * *")
    assert Lock(app.session, "held").acquire()
    app.call(("get_strikes",), "add", "queue=struck", "", None)
    echo.using(queue="struck").map([1] * 13)
    release = str(home / "release")
    hold = app.named("cluster_tasks:hold", queue="held")
    started = [str(home / f"started{number}") for number in range(2)]
    for path in started:
        hold.submit(path, release)
    hold.submit(str(home / "waits"), release)  # ready, and perhaps already at the worker
    assert eventually(lambda: all(Path(path).exists() for path in started))


def by_queue(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {row["name"]: {state: row[state] for state in STATES if row[state]} for row in rows}


def of_metrics(given: Families) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for sample in given["tq_tasks"].samples:
        of = found.setdefault(sample.labels["queue"], {})
        of[sample.labels["state"]] = of.get(sample.labels["state"], 0) + int(sample.value)
    return {queue: {state: of[state] for state in STATES if of.get(state)} for queue, of in found.items()}


def settled(sources: Sources) -> dict[str, dict[str, int]]:
    """By queue and state, as soon as nothing changes any more."""
    seen: list[Any] = []

    def same() -> bool:
        seen.append(by_queue(sources.command("queues")))
        return len(seen) > 1 and seen[-1] == seen[-2] and seen[-1]["held"].get("running") == 2

    assert eventually(same)
    found: dict[str, dict[str, int]] = seen[-1]
    return found


def tasks_of(row: dict[str, Any]) -> int:
    """How many tasks a line of a list stands for."""
    if "flow" in row:
        return int(row["flow"]["total"])
    return sum(row["states"].values()) if "states" in row else 1


def test_tasks_by_queue_and_state_are_the_same_in_all_three(sources: Sources) -> None:
    said = settled(sources)
    assert set().union(*said.values()) == set(STATES) - {"lost"}, "there is one of each"
    assert eventually(lambda: by_queue(sources.page("/queues")) == said)
    assert by_queue(sources.page("/queues")) == said
    assert by_queue(sources.page("/")) == said
    assert eventually(
        lambda: of_metrics(sources.metrics()) == {queue: of for queue, of in said.items() if of}
    )


def test_totals_by_state_are_the_same_in_every_view_and_command(sources: Sources) -> None:
    totals = Counter[str]()
    for of in settled(sources).values():
        totals.update(of)
    counted = sources.command("ls", "--count")
    assert counted["states"] == totals
    assert counted["tasks"] == totals.total()
    assert {row["state"]: row["tasks"] for row in sources.command("ls", "--group", "state")} == totals
    chips = re.findall(r'class="chip s-(\w+)[^>]*>\w+ <b>([\d,]+)</b>', sources.browser.get("/tasks").text)
    assert {state: int(tasks.replace(",", "")) for state, tasks in chips} == totals
    # a line stands for a task, an array or a flow, and each task is in one of them
    lines = [sources.page("/tasks"), sources.command("ls", "--limit", 10_000)]
    assert [sum(map(tasks_of, rows)) for rows in lines] == [totals.total()] * 2
    assert [[row["flow"]["name"] for row in rows if "flow" in row] for rows in lines] == [["of two"]] * 2
    assert sum(one.value for one in sources.metrics()["tq_tasks"].samples) == totals.total()
    top = sources.command("top")
    assert {one: sum(row[one] for row in top["queues"]) for one in totals} == totals
    facts = dict(
        re.findall(r"<b>([\d,]+)</b><span>(ready|running|failed, dead, lost|scheduled, blocked)</span>",
                   sources.browser.get("/").text)
    )  # fmt: skip
    shown = {words: int(tasks.replace(",", "")) for tasks, words in facts.items()}
    assert shown["ready"] == totals["ready"]


def test_each_filter_finds_as_many_as_its_queue_and_state_count(sources: Sources) -> None:
    for queue, of in settled(sources).items():
        where = f"queue={queue!r}"
        assert sources.command("ls", "--where", where, "--count")["states"] == of, queue
        rows = sources.page(f"/tasks?where=queue%3D'{queue.replace(' ', '%20')}'")
        shown = Counter[str]()
        for row in rows:
            shown.update(row["states"] if "states" in row else {row["state"]: 1})
        assert shown == of, queue


def test_failures_are_as_many_as_the_states_say(sources: Sources) -> None:
    totals = Counter[str]()
    for of in settled(sources).values():
        totals.update(of)
    groups = sources.page("/failures")
    assert sum(one["tasks"] for one in groups) == sum(totals[state] for state in FAILED)
    said = sources.command("ls", "--group", "error", "--limit", 100)
    assert sum(row["tasks"] for row in said) == sum(totals[state] for state in FAILED)


def test_limits_strikes_and_tenants_are_the_same(sources: Sources) -> None:
    settled(sources)
    rows = sources.page("/limits")

    def of_kind(kind: str) -> list[Mapping[str, Any]]:
        return [
            {name: value for name, value in row.items() if name != "kind"}
            for row in rows
            if row["kind"] == kind
        ]

    assert of_kind("limit") == sources.command("limits", "ls")
    assert of_kind("strike") == sources.command("strike", "ls")
    assert of_kind("tenant") == sources.command("tenants", "ls")
    assert {row["name"]: row["waiting"] for row in of_kind("limit")} == {"smtp": 9}
    assert {row["name"]: row["waiting"] for row in of_kind("tenant") if row["name"]} == {"acme": 7}
    (strikes,) = sources.metrics()["tq_strikes"].samples
    assert strikes.value == len(of_kind("strike")) == 1


def test_slots_and_workers_are_the_same(sources: Sources) -> None:
    settled(sources)
    (shown,), (said,), metrics = sources.page("/workers"), sources.command("workers"), sources.metrics()
    for name in ("node", "slots", "running", "leased", "state", "pools"):
        assert shown[name] == said[name], name
    assert said["running"] == 2
    assert said["pools"] == [{"pool": "process:2", "queues": None, "slots": 2, "busy": 2}]
    assert metrics["tq_slots"].samples[0].value == said["slots"]
    assert {one.labels["state"]: one.value for one in metrics["tq_workers"].samples} == {
        "connected": 1,
        "absent": 0,
    }
    paused = {one.labels["queue"] for one in metrics["tq_queue_paused"].samples if one.value}
    assert paused == {row["name"] for row in sources.page("/queues") if row["paused"]} == {"paused"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/tasks", ["ls", "--limit", "10000"]),
        ("/queues", ["queues"]),
        ("/", ["queues"]),
        ("/locks", ["locks"]),
        ("/flows", ["flow", "ls"]),
        ("/schedules", ["schedule", "ls"]),
        ("/keys", ["keys", "list"]),
    ],
)
def test_what_else_is_listed_has_the_same_rows(sources: Sources, path: str, words: list[str]) -> None:
    settled(sources)

    def steady(rows: Any) -> Any:
        if isinstance(rows, list):
            return [steady(row) for row in rows]
        if isinstance(rows, dict):
            return {name: steady(value) for name, value in rows.items() if name not in OF_THE_MOMENT}
        return rows

    # Between two looks a worker may have been given one ahead.
    assert eventually(lambda: steady(sources.page(path)) == steady(sources.command(*words)))
