"""Random lives of one shard in a real database: owners come, are late, stand still, lose answers and are displaced.

The database's clock is turned by hand: ``over`` ends a lease. After every step the laws of ``History`` hold; each of the planted bugs
breaks one of them.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from tq.master.store.interface.store import Displaced, OwnedElsewhere
from tq.master.store.postgres import shard
from tq.master.store.postgres.address import DatabaseAddress
from tq.master.store.postgres.line import TEXT, DatabaseAway, PostgresLine, Statement
from tq.master.store.postgres.masters import renew
from tq.master.store.postgres.shard import OwnersCommits, Ownership, claim, release
from tq.master.store.postgres.tenure import LEASE_SECONDS, Tenure
from tq.master.store.postgres.waiting import DatabaseWait
from tq.master.store.sqlite.store import newest_schema

from .owners import over

OWNERS, STEPS, SEEDS = 3, 120, 3
NOTED = b"INSERT INTO tq.law (owner) VALUES ($1)"
STEPS_OF_ALL = (
    "claim",
    "commit",
    "commit",
    "commit",
    "commit and lose the answer",
    "renew",
    "lapse",
    "release",
)


class Line(PostgresLine):
    """Loses the answer of its next transaction, which is done."""

    loses = False

    def run(self, statements: Any, seconds_max: float) -> Any:
        answer = super().run(statements, seconds_max)
        if self.loses and statements[-1].text == b"COMMIT":
            self.loses = False
            self.close()
            raise DatabaseAway("planted")
        return answer


class Owner:
    """A master as the shard sees it; what it holds it holds until it learns otherwise, as one that stands still does."""

    def __init__(self, name: str, address: DatabaseAddress) -> None:
        self.name, self._address, self.starts = name, address, 0
        self.line = Line(address, 10)
        self.commits: OwnersCommits | None = None

    def connect(self) -> Line:
        self.line = Line(self._address, 10)
        return self.line

    def holds(self, held: Ownership) -> None:
        wait = DatabaseWait("it", lambda *_, **__: None)
        self.commits = OwnersCommits(held, self.line, self.connect, wait, durable=False, tenure=Tenure(0.0))


class History:
    """Of one shard, as an observer with a connection of its own sees it."""

    take = staticmethod(claim)

    def __init__(self, line: PostgresLine, address: DatabaseAddress) -> None:
        self.line = line
        line.connection.execute("CREATE TABLE tq.law (number serial, owner text)")
        self.owners = [Owner(f"{letter}:1", address) for letter in "abc"[:OWNERS]]
        self.noted: list[str] = []  # the owner of each commit that was acknowledged

    def row(self) -> tuple[str, int, int, float | None]:
        found = self.line.connection.execute(
            "SELECT owner, epoch, last_commit, extract(epoch FROM until - clock_timestamp()) FROM tq.shards WHERE shard = 7"
        ).fetchone()
        assert found is not None
        owner, epoch, last, left = found
        return owner, epoch, last, None if left is None else float(left)

    def left(self) -> float:
        """Seconds that its owner has left; 0: it has none, or is new."""
        found = self.line.connection.execute(
            "SELECT extract(epoch FROM until - clock_timestamp()) FROM tq.shards WHERE shard = 7"
        ).fetchone()
        return 0.0 if found is None or found[0] is None else float(found[0])

    def step(self, what: str, owner: Owner) -> None:
        if what == "claim":
            self._claim(owner)
        elif owner.commits is None:
            return
        elif what == "lapse":
            over(self.line)
        elif what == "release":
            held = owner.commits.held
            release(self.line, held)
            assert self.row()[0] != held.owner or self.row()[3] is None
        elif what == "renew":
            is_ours = renew(self.line, owner.commits.held)
            assert is_ours == (self.row()[0] == owner.commits.held.owner), "only its owner renews"
        else:
            owner.line.loses = what != "commit"
            self._commit(owner, owner.commits)
        self._look()

    def _claim(self, owner: Owner) -> None:
        owner.starts += 1
        left, began = self.left(), time.monotonic()
        try:
            held, _ = self.take(owner.line, 7, f"{owner.name}:{owner.starts}", None, newest_schema())
        except OwnedElsewhere:
            return
        assert left <= time.monotonic() - began + 0.1, "it was taken from an owner whose lease was not over"
        owner.holds(held)

    def _commit(self, owner: Owner, commits: OwnersCommits) -> None:
        held = commits.held
        try:
            commits.commit([Statement(NOTED, [held.owner.encode()], [TEXT])])
        except Displaced:
            assert self.row()[:2] != (held.owner, held.epoch), (
                "an owner that no other has displaced is refused"
            )
            owner.commits = None
            return
        finally:
            owner.line.loses = False
        assert self.row()[:2] == (held.owner, held.epoch), "one that was displaced has committed"
        self.noted.append(held.owner)

    def _look(self) -> None:
        found = self.line.connection.execute("SELECT owner FROM tq.law ORDER BY number").fetchall()
        assert [owner for (owner,) in found] == self.noted, "each acknowledged commit is there, once"
        _, _, last, left = self.row()
        assert last == len(self.noted)
        assert left is None or left <= LEASE_SECONDS, "the lease is not of the database's clock"


def live(history: History, seed: int, steps: int = STEPS) -> None:
    chance = random.Random(seed)  # noqa: S311 - a schedule
    history.step("claim", history.owners[0])
    for _ in range(steps):
        history.step(chance.choice(STEPS_OF_ALL), chance.choice(history.owners))


@pytest.fixture
def history(owners_line: PostgresLine, owners_database: DatabaseAddress) -> Any:
    history = History(owners_line, owners_database)
    yield history
    for owner in history.owners:
        owner.line.close()


def test_at_every_moment_one_owner_can_commit_and_each_commit_is_done_once(history: History) -> None:
    for seed in range(SEEDS):
        live(history, seed)
    assert len(history.noted) > STEPS / 4, "the lives have commits in them"
    assert history.row()[1] > SEEDS, "and take-overs"


def without(text: bytes, *parts: bytes) -> bytes:
    for part in parts:
        assert part in text
        text = text.replace(part, b"(" + part.split(b"=")[1] + b" IS NOT NULL)")
    return text


@pytest.mark.parametrize(
    ("planted", "module", "name", "text", "law"),
    [
        (
            "a commit without owner and epoch",
            shard,
            "OURS",
            without(shard.OURS, b"owner = $2", b"epoch = $3"),
            "one that was displaced has committed|is there, once",
        ),
        (
            "a commit without the number of the one before",
            shard,
            "OURS",
            without(shard.OURS, b"last_commit = $4"),
            "is there, once",
        ),
        (
            "a renewal by an owner's clock that is an hour ahead",
            shard,
            "RENEW",
            shard.RENEW.replace(b"clock_timestamp()", b"clock_timestamp() + interval '1 hour'"),
            "not of the database's clock",
        ),
        (
            "a renewal by any master",
            shard,
            "RENEW",
            without(shard.RENEW, b"owner = $2", b"epoch = $3"),
            "only its owner renews",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value and len(value) > 25 else "",
)
def test_a_planted_bug_breaks_a_law(
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    planted: str,
    module: Any,
    name: str,
    text: bytes,
    law: str,
) -> None:
    monkeypatch.setattr(module, name, text)
    with pytest.raises(AssertionError, match=law):
        live(history, seed=0, steps=5 * STEPS)


def test_a_claim_that_does_not_look_at_the_lease_breaks_a_law(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def any_time(line: PostgresLine, number: int, owner: str, before: str | None, schema: int) -> Any:
        found = line.connection.execute("SELECT owner FROM tq.shards WHERE shard = %s", (number,)).fetchone()
        return claim(line, number, owner, None if found is None else found[0], schema)

    monkeypatch.setattr(History, "take", staticmethod(any_time))
    with pytest.raises(AssertionError, match="whose lease was not over"):
        live(history, 1)
