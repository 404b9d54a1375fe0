"""The examples, as a user runs them: one master and one worker serve them all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import tq
from PIL import Image
from xprocess import XProcess

from .programs import Master, Worker, clean_environment, eventually, free_port, run_program

EXAMPLES = Path(tq.__file__).with_name("examples")
FILES = [
    EXAMPLES / place for place in (
        "nightly/nightly.py", "contact_sheet/contact_sheet.py", "saga/trip.py", "crawl/crawl.py", "approval/expense.py",
    )
]  # fmt: skip
SECONDS = 40.0


class Served(NamedTuple):
    master: Master
    app: tq.App
    home: Path
    mailbox: Path

    def run(self, example: str, *arguments: object) -> list[str]:
        """What a program prints."""
        [file] = [one for one in FILES if one.stem == example]
        keys = {"TQ_URL": self.master.url, "TQ_AUTHKEY": self.master.key("client")}
        program = [sys.executable, str(file), *map(str, arguments)]
        environment = clean_environment(self.home, keys)
        done = subprocess.run(
            program, cwd=self.home, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def served(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("examples")
    mailbox, port = home / "mailbox", free_port()
    program = [sys.executable, "-m", "tq.client.cli.demo.smtp_server", str(port), str(mailbox)]
    master = Master(xprocess, home, authkey=None)
    with subprocess.Popen(program) as smtp:
        try:
            master.start()
            worker = Worker(
                xprocess, home, master.address, master.key("worker"), "--slots", 2, *FILES, "tq.tasks.mail"
            )
            worker.environment["TQ_SMTP_URL"] = f"smtp://127.0.0.1:{port}"
            try:
                worker.start()
                with tq.App(master.url, master.key("client")) as app:
                    yield Served(master, app, home, mailbox)
            finally:
                worker.end()
        finally:
            master.end()
            smtp.terminate()


def test_the_nightly_report_counts_adds_up_and_mails_once(served: Served) -> None:
    logs = served.home / "logs"
    logs.mkdir()
    for number in range(3):
        (logs / f"{number}.log").write_text("INFO a\n" * 5 + "ERROR b\n" * number)
    [reply] = served.run("nightly", "logs", "you@example.org")
    assert reply.startswith("250")
    [sent] = map(json.loads, served.mailbox.read_text().splitlines())
    assert (sent["to"], sent["subject"]) == ("you@example.org", "The night's logs")
    [total] = served.app.call(("get_tasks",), "list", {"name": "nightly:add_up"}, 9)
    assert tq.Handle(served.app.session, total["id"]).result() == "      15 INFO\n       3 ERROR"
    declared = served.app.schedules.show("nightly:nightly")
    assert (declared.cron, declared.tz, declared.overlap) == ("0 3 * * *", "Europe/Prague", "skip")


def test_the_image_pipeline_leaves_a_gap_for_what_is_no_picture(served: Served) -> None:
    pictures = served.home / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (400, 400), (255, 0, 0)).save(pictures / f"{number}.png")
    (pictures / "notes.txt").write_text("no picture")
    assert served.run("contact_sheet", "pictures", "sheet.png") == ["4 pictures, 1 of them not readable"]
    with Image.open(served.home / "sheet.png") as sheet:
        assert sheet.size == (192, 192)
        corners = [sheet.getpixel(corner) for corner in ((10, 10), (110, 10), (10, 110), (110, 110))]
    assert corners == [(255, 0, 0)] * 3 + [(255, 255, 255)]


def test_the_saga_books_each_thing_once_and_undoes_what_cannot_be_completed(served: Served) -> None:
    assert served.run("trip", "Ada") == ["Ada goes to Prague"]
    [bob] = served.run("trip", "Bob", "moon")
    assert "no hotel is left in moon: all is cancelled" in bob
    assert (served.home / "ledger.txt").read_text().splitlines() == [
        "Ada books a flight", "Ada books a hotel", "Ada books a car", "Bob books a flight", "Bob cancels the flight",
    ]  # fmt: skip


def test_the_crawl_visits_each_page_once_until_there_is_none_left(served: Served) -> None:
    site = served.home / "site"
    site.mkdir()
    for number in range(12):
        links = (number * 2 + 1, number * 2 + 2, number // 2, 0)
        text = "".join(f'<a href="{link}.html#x">{link}</a>' for link in links if link < 12)
        (site / f"{number}.html").write_text(text + '<a href="http://elsewhere.invalid/">away</a>')
    seen: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            seen.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = f"http://127.0.0.1:{server.server_port}/"
        (site / "index.html").write_text('<a href="0.html">begin</a>')
        visited = served.run("crawl", start)
        server.shutdown()
    pages = [f"{number}.html" for number in range(12)]
    assert sorted(visited) == sorted([start, *(start + page for page in pages)])
    assert sorted(seen) == sorted(["/", *("/" + page for page in pages)])


def test_a_person_approves_or_the_deadline_passes(served: Served) -> None:
    asked = served.app.named("expense:expense")
    assert asked.submit("Ada", 10).result(SECONDS) == "Ada is paid 10"
    waiting, late = asked.submit("Ada", 40), asked.submit("Bob", 50, deadline=0.2)
    waiting.signal("decided", {"ok": True, "by": "Ada"})  # with the key of a client: left alone
    assert late.result(SECONDS) == "no one has decided about the 50 of Bob in time"
    eventually(lambda: "waits for the signal 'decided'" in waiting.why(), SECONDS)
    admin = {"TQ_URL": served.master.url, "TQ_AUTHKEY": served.master.key("admin")}
    signal = ("signal", waiting.id, "decided", '{"ok": true, "by": "Grace"}')
    assert run_program("tq", *signal, home=served.home, environment=admin).returncode == 0
    assert waiting.result(SECONDS) == "Ada is paid 40, approved by Grace"
