"""The demo's job: its tasks, the processes that it kills, and the checks at the end.

::

    recipients.csv + template ─► tq.tasks.mail:send ─► SMTP server ─► mailbox ─┐
    Python's own sources ─────► wordcount:count ─► sum ────────────────────────┼─► checks ─► table
                 at 25 % a worker is killed, at 55 % the master ───────────────┘
"""

from __future__ import annotations

import csv
import json
import re
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Final

from ....common.domain.model import State
from ...app import App
from ...tasks.handles import Handles
from .cluster import Cluster, example
from .screen import Bars, DemoScreen

SENDER: Final = "Demo <demo@tq.example>"
KILL_WORKER_AT, KILL_MASTER_AT = 0.25, 0.55  # of all tasks
REFRESH_SECONDS: Final = 0.1
JOB_SECONDS_MAX: Final = 300.0
SOURCES_MAX: Final = 900  # files: a few seconds of counting on two cores
SOURCES_PER_MESSAGE: Final = 5  # a demo of few messages is short as a whole
LIST_PAGE: Final = 2_000
WORD: Final = re.compile(r"[^\W\d_]{2,}")  # the example's own; here for the single-process count


@dataclass(kw_only=True)
class DemoRecipient:
    name: str
    email: str
    city: str
    amount: str

    @property
    def is_gone(self) -> bool:
        """Whether the demo's server refuses it for good."""
        return self.email.endswith("@gone.example")


@dataclass(kw_only=True)
class DemoOutcome:
    """What happened, and whether every check held."""

    seconds: float
    messages: int
    delivered: int
    refused: int
    duplicates: int
    files: int
    words: int
    killed: list[str]
    rerun: int
    lost: int
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "holds": self.holds}


class HandlesWatcher:
    """Follows a set of handles in a thread of its own, so that both jobs are seen moving."""

    def __init__(self, handles: Handles[Any]) -> None:
        self.total, self.done = len(handles), 0
        self.states: Counter[State] = Counter()
        self.results: list[Any] = []
        self.errors: dict[str, str] = {}
        self.failure: BaseException | None = None
        self._handles = handles
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _follow(self) -> None:
        try:
            for handle in self._handles.as_completed(timeout=JOB_SECONDS_MAX):
                # Has its outcome already: no call to a master that may be dead at this moment.
                error = handle.exception()
                self.states[handle.state] += 1
                if error is None:
                    self.results.append(handle.result())
                else:
                    self.errors[handle.id] = str(error)
                self.done += 1
        except BaseException as error:  # the main thread reports it and decides
            self.failure = error


class Demo:
    """One run."""

    def __init__(self, cluster: Cluster, screen: DemoScreen, *, messages: int, chaos: bool) -> None:
        self._cluster, self._screen, self._messages, self._chaos = cluster, screen, messages, chaos
        self._killed: list[str] = []

    def run(self) -> DemoOutcome:
        """Submit, follow, disturb, check, tell."""
        began = time.monotonic()
        people = read_recipients(example("mail/recipients.csv"))[: self._messages]
        files = python_sources(SOURCES_PER_MESSAGE * len(people))
        self._screen.say(
            f"one master, two workers: {len(people):,} messages to send, {len(files):,} files to count"
        )
        with self._cluster.app() as app:
            mails = submit_mails(app, people, example("mail/template.txt").read_text("utf-8"))
            counts = app.named("wordcount:count", queue="words", retries=2, timeout=60).map(files)
            mail, words = HandlesWatcher(mails), HandlesWatcher(counts)
            with self._screen.bars({"mail": mail.total, "compute": words.total}) as bars:
                self._follow(mail, words, bars)
            outcome = self._check(app, people, files, mail, words, began)
        self._tell(outcome)
        return outcome

    def _follow(self, mail: HandlesWatcher, words: HandlesWatcher, bars: Bars) -> None:
        plans: list[tuple[float, Callable[[], str]]] = []
        if self._chaos:
            plans = [(KILL_WORKER_AT, self._kill_worker), (KILL_MASTER_AT, self._kill_master)]
        while True:
            bars.show("mail", mail.done, mail.total)
            bars.show("compute", words.done, words.total)
            share = (mail.done + words.done) / (mail.total + words.total)
            if plans and share >= plans[0][0]:
                self._killed.append(plans.pop(0)[1]())
                self._screen.say(f"killed {self._killed[-1]} at {share:.0%}, started it again", "yellow")
            if not mail.alive and not words.alive:
                break
            time.sleep(REFRESH_SECONDS)
        for watcher in (mail, words):
            if watcher.failure is not None:
                raise watcher.failure

    def _kill_worker(self) -> str:
        pid = self._cluster.kill("worker-a")
        self._cluster.start_worker("worker-a")
        return f"worker-a (process {pid}, SIGKILL)"

    def _kill_master(self) -> str:
        pid = self._cluster.kill("master")
        self._cluster.start_master()
        return f"the master (process {pid}, SIGKILL)"

    def _check(
        self,
        app: App,
        people: list[DemoRecipient],
        files: list[str],
        mail: HandlesWatcher,
        words: HandlesWatcher,
        began: float,
    ) -> DemoOutcome:
        box = [json.loads(line) for line in self._cluster.mailbox.read_text("utf-8").splitlines()]
        delivered = Counter(line["to"] for line in box)
        problems = check_mail(people, delivered, box, mail)
        single = count_here(files)
        problems += check_words(single, words)
        tasks = all_tasks(app)
        unfinished = [task for task in tasks if not State.from_number(task["state"]).is_terminal]
        lost = mail.total + words.total - len(tasks) + len(unfinished)
        if lost:
            problems.append(f"{lost} tasks have no end")
        if self._chaos and len(self._killed) < 2:
            problems.append("the job ended before all processes were killed; use more --messages")
        return DemoOutcome(
            seconds=time.monotonic() - began,
            messages=len(people),
            delivered=len(delivered),
            refused=mail.states[State.FAILED],
            duplicates=sum(delivered.values()) - len(delivered),
            files=len(files),
            words=sum(single.values()),
            killed=self._killed,
            rerun=sum(task["crashes"] for task in tasks),
            lost=lost,
            problems=problems,
        )

    def _tell(self, outcome: DemoOutcome) -> None:
        rows = [
            ("messages delivered", f"{outcome.delivered:,} of {outcome.messages:,}"),
            ("refused for good (550)", f"{outcome.refused:,}, as the server decided"),
            (
                "delivered twice",
                f"{outcome.duplicates:,}{' (same Message-ID)' if outcome.duplicates else ''}",
            ),
            ("words counted", f"{outcome.words:,} in {outcome.files:,} files, equal to a single process"),
            ("killed", "\n".join(outcome.killed) or "no process"),
            ("re-run because of that", f"{outcome.rerun:,} attempts"),
            ("lost", f"{outcome.lost:,}"),
            ("took", f"{outcome.seconds:.1f} s"),
        ]
        self._screen.table("outcome", rows)
        for problem in outcome.problems:
            self._screen.say(problem, "red")
        text = "every check held" if outcome.holds else f"{len(outcome.problems)} checks did not hold"
        self._screen.verdict(outcome.holds, text)


def read_recipients(file: Path) -> list[DemoRecipient]:
    with file.open(encoding="utf-8", newline="") as rows:
        return [DemoRecipient(**row) for row in csv.DictReader(rows)]


def submit_mails(app: App, people: list[DemoRecipient], template: str) -> Handles[Any]:
    """One task a recipient, durable when this returns. Backoffs are short: the demo's server recovers fast."""
    head, _, body = template.partition("\n\n")
    subject, text = Template(head.removeprefix("Subject:").strip()), Template(body)
    send = app.named("tq.tasks.mail:send", queue="mail", retries=8, backoff=0.5, backoff_max=2.0, timeout=60)
    return send.starmap(
        (f"{one.name} <{one.email}>", subject.substitute(vars(one)), text.substitute(vars(one)), SENDER)
        for one in people
    )


def python_sources(wanted: int) -> list[str]:
    """The standard library's own files, in a fixed order."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    return [str(path) for path in files[: min(wanted, SOURCES_MAX)]]


def count_here(files: list[str]) -> Counter[str]:
    """The same count in this process alone."""
    words: Counter[str] = Counter()
    for file in files:
        words.update(WORD.findall(Path(file).read_text("utf-8", "replace").lower()))
    return words


def all_tasks(app: App) -> list[dict[str, Any]]:
    """Every task the master knows, page by page."""
    tasks: list[dict[str, Any]] = []
    while True:
        before = tasks[-1]["id"] if tasks else None
        page = app.call(("get_tasks",), "list", {}, LIST_PAGE, before)
        if not page:
            return tasks
        tasks += page


def check_mail(
    people: list[DemoRecipient], delivered: Counter[str], box: list[dict[str, str]], mail: HandlesWatcher
) -> list[str]:
    """Every address exactly accounted for."""
    problems: list[str] = []
    expected = {one.email for one in people if not one.is_gone}
    gone = [one.email for one in people if one.is_gone]
    if missing := expected - delivered.keys():
        problems.append(f"{len(missing)} messages were not delivered, e.g. to {min(missing)}")
    if strangers := delivered.keys() - expected:
        problems.append(f"{len(strangers)} addresses got mail and should not have, e.g. {min(strangers)}")
    refused = [error for error in mail.errors.values() if " 550 " in error]
    if len(refused) != len(gone) or len(mail.errors) != len(gone):
        problems.append(f"{len(gone)} addresses are refused for good, {len(mail.errors)} tasks failed")
    ids: dict[str, set[str]] = {}
    for line in box:
        ids.setdefault(line["to"], set()).add(line["message_id"])
    if any(len(one) > 1 for one in ids.values()):
        problems.append("an address got two different messages")
    if len({one for some in ids.values() for one in some}) != len(ids):
        problems.append("two addresses got the same Message-ID")
    return problems


def check_words(single: Counter[str], words: HandlesWatcher) -> list[str]:
    problems = [f"counting failed: {error}" for error in list(words.errors.values())[:3]]
    total: Counter[str] = Counter()
    for part in words.results:
        total.update(part)
    if total != single:
        problems.append("the words counted by the cluster differ from those counted here")
    return problems
