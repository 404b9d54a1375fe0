"""A cluster in which every text that others may choose tries to be something else, and every view, file and form of the page."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock
from tq.common.domain.model import Role
from tq.common.values.codec import encode_call
from tq.web.exporting import FORMULAS
from tq.web.table import ACTIONS, NAVIGATION, VIEWS
from xprocess import XProcess

from .hostile_client import Hostile
from .page_client import Answer, Browser, PageProgram
from .programs import TASKS_FILE, Master, Worker, eventually

MARK: Final = "x-evil"  # of an element, if it ever became one
MARKUP: Final = (
    f"'\"></a></td><{MARK}/onmouseover=alert(1)>{{{{1117*1009}}}}</script><script>alert(1)</script>"
)
CONTROLS: Final = "\x1b[2J\x1b]8;;javascript:alert(1)\x07\u202egnp.exe\u2066\x9b31m\x00\r"
LINE: Final = f"=1+1 {MARKUP}"  # where controls are refused
TEXT: Final = f"{LINE}{CONTROLS}"
NAME: Final = re.sub(r"\s", "", MARKUP)  # where white space and controls are refused
WIDE: Final = "w" * 1_048_576
STEERING: Final = {"\x1b", "\x07", "\x9b", "\x00", "\u202e", "\u2066"}
ANSWER_CHARS_MAX: Final = 400_000
ADDRESSES: Final = ("href", "src", "action", "formaction", "hx-get", "hx-post", "xlink:href")


def asked_by(module: ModuleType) -> set[str]:
    """What the views and changes of a module read from an address or a form, as their code names it."""
    text = Path(str(module.__file__)).read_text("utf-8")
    return {*re.findall(r"""\basked\.get\("(\w+)"\)""", text), "where", "before"}


class Reader(HTMLParser):
    """Reads a page as a browser does, and notes what only text from outside could have made."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag.startswith("x-") or tag in ("iframe", "object", "embed", "img", "base"):
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.wrong.append("a script inside")
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.wrong.append(f"{tag} {name}={value[:80]}")
            if name in ADDRESSES and not re.match(r"(/(?![/\\])|#|$)", value):
                self.wrong.append(f"{tag} {name}={value[:80]}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(answer: Answer, where: str) -> Reader:
    assert answer.status in (200, 303, 400, 404), where
    assert not STEERING & set(answer.text), where
    assert len(answer.text) < ANSWER_CHARS_MAX, where
    reader = Reader()
    reader.feed(answer.text)
    assert reader.wrong == [], where
    return reader


class Attacked(NamedTuple):
    browser: Browser
    viewer: Browser
    viewer_key: str
    app: tq.App
    places: Mapping[str, Sequence[str]]  # addresses of each view that has a variable part


@pytest.fixture(scope="module")
def attacked(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    home = tmp_path_factory.mktemp("hostile")
    programs: list[Any] = [Master(xprocess, home)]
    (master,) = programs
    try:
        master.start()
        programs.append(Worker(xprocess, home, master.address, master.authkey, "--slots", 4, TASKS_FILE))
        programs[-1].start()
        with (
            tq.App(master.url, master.key("admin"), role="admin") as app,
            Hostile(master.port, master.key("worker"), Role.WORKER) as worker,
        ):
            places = fill(app, worker)
            token = app.call(("get_keys",), "add", "viewer", [], TEXT[:100])
            programs.append(PageProgram(xprocess, home, master))
            programs[-1].start()
            browser, viewer = Browser(programs[-1].url), Browser(programs[-1].url)
            assert browser.log_in(master.key("admin")).status == 303
            assert viewer.log_in(token).status == 303
            rows = app.call(("get_keys",), "list")
            (viewer_key,) = [row["id"] for row in rows if row["role"] == "viewer" and row["note"]]
            yield Attacked(browser, viewer, viewer_key, app, places)
    finally:
        for program in reversed(programs):
            program.end()


def fill(app: tq.App, worker: Hostile) -> Mapping[str, Sequence[str]]:
    """Whatever has a text, has a hostile one."""
    info = {"host": TEXT, "pid": 1, "slots": 3, "labels": {"zone": TEXT}, "tasks": [NAME], "queues": None}
    worker.call(["get_dispatcher"], "announce", {**info, "version": TEXT[:60]}, [])
    nowhere = app.named(f"m:{NAME}"[:200])
    hostile = {"queue": NAME, "tags": {"order": LINE}, "tenant": NAME[:80]}
    arguments = (TEXT, WIDE, {TEXT: [TEXT]}, 10**6_000)
    waits = nowhere.using(**hostile).submit(*arguments, text=TEXT, password="a secret")
    nowhere.using(**hostile).map([TEXT] * 30)
    nowhere.using(queue=NAME, limits=[tq.Limit(NAME[:80], max_running=1)]).map([TEXT] * 3)
    failed = app.named("cluster_tasks:fail", queue=NAME).submit(TEXT + WIDE)
    shouted = app.named("cluster_tasks:shout", queue=NAME).submit(TEXT, WIDE)
    echoed = app.named("cluster_tasks:echo", queue=NAME).submit([TEXT, {TEXT: TEXT}])
    for handle in (failed, shouted, echoed):
        handle.exception(timeout=30)
    signalled = app.named("cluster_tasks:awaits_approval", queue=NAME).submit(3_600.0)
    assert eventually(lambda: signalled.state in ("running", "scheduled", "blocked"))
    signalled.signal(NAME[:60], TEXT)
    with app.flow(TEXT) as flow:
        needed = nowhere.using(queue=NAME).submit()
        nowhere.using(queue=NAME).submit(needed)
    app.schedules.add(NAME[:60], f"m:{NAME}"[:200], cron="0 3 * * *", args=(TEXT,))
    ItemQueue(app.session, NAME).put({TEXT: TEXT, "password": "a secret"})
    assert Lock(app.session, NAME).acquire()
    app.call(("get_datum", "dict", NAME), "make", encode_call(({TEXT: [TEXT], "password": "a secret"},), {}))
    app.call(("get_task_queue", "paused"), "pause", TEXT)
    nowhere.using(queue="paused").submit()
    app.call(("get_strikes",), "add", "queue=struck", TEXT, None)
    rows = app.call(("get_workers",), "list")
    tasks = [waits.id, failed.id, shouted.id, echoed.id, signalled.id]
    return {
        "/tasks/{id}": [f"/tasks/{id}" for id in tasks],
        "/flows/{id}": [f"/flows/{flow.id}"],
        "/workers/{node}": [f"/workers/{row['node']}" for row in rows],
        "/bulk/{job}": [],  # made by a form, below
        "/submit": [f"/submit?like={waits.id}", "/submit"],
        "/queues": ["/queues", f"/queues?{urlencode({'peek': NAME})}"],
        "/data": ["/data", f"/data?{urlencode({'name': NAME})}"],
        "/schedule": [f"/schedule?{urlencode({'name': NAME[:60]})}"],
    }


def addresses(attacked: Attacked) -> dict[str, Sequence[str]]:
    """Of every view. One that has a variable part stands in ``places``."""
    return {path: [path] if "{" not in path else [] for path in VIEWS} | dict(attacked.places)


def test_each_view_is_walked(attacked: Attacked) -> None:
    missing = [path for path in VIEWS if "{" in path and path not in attacked.places]
    assert not missing, "say where such a view is shown: in the answer of fill()"


def test_what_others_wrote_is_text_in_every_view(attacked: Attacked) -> None:
    seen: dict[str, bool] = {}
    for view, places in addresses(attacked).items():
        for place in places:
            text = "".join(read(attacked.browser.get(place), place).texts)
            seen[view] = seen.get(view, False) or MARK in text
            assert str(1117 * 1009) not in text, "it is no template"
            assert "a secret" not in text
    unseen = [one.path for one in NAVIGATION if not seen[one.path]]
    assert unseen in ([], ["/keys"], ["/audit"]), "a view without hostile text proves nothing"


def test_what_others_wrote_is_text_in_every_part_of_an_address(attacked: Attacked) -> None:
    evil = quote(TEXT, safe="")
    for view, places in addresses(attacked).items():
        read(attacked.browser.get(re.sub(r"\{[^}]+\}", evil, view)), view)
        for place in places[:1]:
            mark = "&" if "?" in place else "?"
            names = asked_by(sys.modules[VIEWS[view].__module__])
            read(attacked.browser.get(f"{place}{mark}{'&'.join(f'{name}={evil}' for name in names)}"), view)
            for name in names:
                read(attacked.browser.get(f"{place}{mark}{name}={evil}"), f"{view} {name}")


def test_no_cell_of_a_file_is_a_formula_or_steers_a_terminal(attacked: Attacked) -> None:
    csv.field_size_limit(4 * len(WIDE))
    for places in addresses(attacked).values():
        for place in places:
            mark = "&" if "?" in place else "?"
            answer = attacked.browser.get(f"{place}{mark}format=csv")
            assert not STEERING & set(answer.text), place
            assert answer.status in (200, 404), place
            if answer.status == 404:
                continue  # no table
            assert answer.headers["content-disposition"].startswith("attachment"), place
            for cell in (cell for row in csv.reader(io.StringIO(answer.text)) for cell in row):
                is_number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
                assert is_number or not cell.startswith(FORMULAS), (place, cell[:80])
            answer = attacked.browser.get(f"{place}{mark}format=json")
            assert not STEERING & set(answer.text), place
            json.loads(answer.text)


def test_a_form_full_of_hostile_text_is_answered_in_words(attacked: Attacked) -> None:
    browser = attacked.browser
    modules = {sys.modules[action.__module__] for action in ACTIONS.values()}
    form = {
        name: TEXT for module in modules for name in (*asked_by(module), "queue", "limit", "tenant", "strike")
    }
    form |= {"csrf": browser.get("/tasks").csrf, "back": "//evil.example.org/"}
    for path in ACTIONS:
        answer = browser.post(re.sub(r"\{[^}]+\}", quote(TEXT, safe=""), path), form)
        if answer.status == 404:
            continue  # a word of the address has a slash
        assert answer.status == 303, path
        assert re.match(r"/(?![/\\])", answer.where), path
        read(browser.get(answer.where), path)
    for verb, where in (("retry", f"queue={NAME!r}"), ("cancel", "queue='m*'")):
        job = browser.post("/bulk", {**form, "verb": verb, "where": where, "array": ""}).where
        read(browser.get(job), job)


def test_a_viewer_is_offered_no_change_and_makes_none(attacked: Attacked) -> None:
    """All changes are tried, with the token of the log-in and with names of what is there."""
    viewer, app = attacked.viewer, attacked.app
    csrf = viewer.get("/tasks").csrf
    for place in (place for places in addresses(attacked).values() for place in places):
        offered = re.findall(r'<form method="post" action="([^"]+)"', viewer.get(place).text)
        assert set(offered) <= {"/logout"}, place
    task = attacked.places["/tasks/{id}"][0].removeprefix("/tasks/")
    (lock,) = app.call(("get_locks",), "list")["rows"]
    form = {"csrf": csrf, "queue": NAME, "where": f"queue={NAME!r}", "verb": "cancel", "limit": NAME[:80], "strike": "1",
            "tenant": NAME[:80], "max_running": "1", "condition": "queue=a", "name": NAME[:60], "like": task,
            "token": str(lock["token"]), "weight": "2", "back": "/queues"}  # fmt: skip
    meant = {
        "/tasks/{id}": task,
        "/flows/{id}": attacked.places["/flows/{id}"][0].removeprefix("/flows/"),
        "/workers/{node}": attacked.places["/workers/{node}"][0].removeprefix("/workers/"),
        "/keys/{id}": attacked.viewer_key,
        "/bulk/{job}": "x",
    }
    before = state(app)
    for path in ACTIONS:
        place = path
        for start, word in meant.items():
            place = place.replace(start, start.partition("{")[0] + word) if path.startswith(start) else place
        assert "{" not in place, f"say in this test what {path} is tried with"
        words = {**form, "name": lock["name"]} if path == "/locks/break" else form
        answer = viewer.post(place, words)
        assert answer.status == 303, path
        assert 'class="note bad"' in viewer.get("/queues").text, path
    assert state(app) == before
    rows = app.call(("get_audit",), "list", 100, None, None, attacked.viewer_key)
    assert rows == [], "the audit log has no change of that key"


def state(app: tq.App) -> Any:
    """What the changes of the page would change."""
    of_queues = [
        {
            **row,
            "rate": 0,
            "oldest_ready_seconds": 0,
            "item_queue": {**(row["item_queue"] or {}), "come": 0, "gone": 0},
        }
        for row in app.call(("get_queues",), "list")
    ]
    lists: list[Callable[[], Any]] = [
        lambda: app.call(("get_limits",), "list", ""),
        lambda: app.call(("get_strikes",), "list"),
        lambda: app.call(("get_tenants",), "list", None),
        lambda: [row["state"] for row in app.call(("get_workers",), "list")],
        lambda: [(row["id"], row["state"]) for row in app.call(("get_keys",), "list")],
        lambda: [(one.name, one.state, one.fired) for one in app.schedules.list()],
    ]
    return [of_queues, *(ask() for ask in lists)]
