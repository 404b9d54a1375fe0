"""The masters of a database share its shards: none stays without an owner, numbers differ by at most one, and then nothing moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from tq.master.standby.spread import Handing, Living, Readiness, SpreadSteps, next_steps

READY, OPENING, CANNOT = Readiness.READY, Readiness.OPENING, Readiness.CANNOT


def living(ids: str, readiness: Readiness | None = READY) -> list[Living]:
    return [Living(one, readiness) for one in ids]


@dataclass
class Database:
    """What all see; ``claim`` and ``release`` are conditional, as the real ones."""

    owners: list[str | None]
    masters: dict[str, Readiness | None] = field(default_factory=dict)
    moves: int = 0

    def seen(self) -> tuple[list[Living], list[str | None]]:
        return [Living(*one) for one in sorted(self.masters.items())], list(self.owners)

    def decided(self, me: str) -> SpreadSteps:
        return next_steps(me, *self.seen())

    def act(self, me: str, steps: SpreadSteps) -> None:
        for shard in steps.take:
            if self.owners[shard] is None:
                self.owners[shard] = me
        if steps.let_go is not None and self.owners[steps.let_go.shard] == me:
            self.owners[steps.let_go.shard] = None
            self.moves += 1

    def end_leases(self) -> None:
        self.owners = [owner if owner in self.masters else None for owner in self.owners]

    def settle(self) -> None:
        """Each looks and acts in turn, until no one has anything to do."""
        for _ in range(3 * len(self.owners) + 3):
            if not any(steps.take or steps.let_go for steps in map(self.decided, self.masters)):
                return
            for one in sorted(self.masters):
                self.act(one, self.decided(one))
        raise AssertionError(f"it does not end: {self}")

    @property
    def counts(self) -> list[int]:
        has = Counter(self.owners)
        return [has[one] for one in self.masters]


NAMES = st.sampled_from("abcdef")
SHARDS = st.integers(1, 40)


@given(SHARDS, st.lists(st.tuples(st.booleans(), NAMES), max_size=12), st.randoms(use_true_random=False))
def test_masters_that_come_and_go_end_with_an_even_spread(shards, changes, random):  # type: ignore[no-untyped-def]
    database = Database([None] * shards)
    for comes, name in [*changes, (True, "a")]:
        if comes:
            database.masters[name] = random.choice([READY, OPENING, CANNOT, Readiness.ENDING])
        else:
            database.masters.pop(name, None)
        if random.random() < 0.3:
            database.end_leases()
        # Some look now, and act when the others have acted on what they have seen.
        seen = {one: database.decided(one) for one in sorted(database.masters) if random.random() < 0.5}
        for one, steps in seen.items():
            database.act(one, steps)
    database.masters = dict.fromkeys(database.masters, READY)
    database.end_leases()
    database.settle()
    assert None not in database.owners
    assert max(database.counts) - min(database.counts) <= 1


@given(SHARDS, st.integers(1, 6))
def test_one_that_comes_takes_its_part_and_no_shard_moves_twice(shards: int, living: int) -> None:
    database = Database([None] * shards, dict.fromkeys("abcdef"[:living], READY))
    database.settle()
    assert database.moves == 0, "free shards are taken, none is passed on"
    database.masters["z"] = READY
    database.settle()
    assert database.moves == shards // (living + 1), "as many as it has, and no more"
    assert Counter(database.owners)["z"] == shards // (living + 1)


@given(SHARDS, st.integers(2, 6))
def test_what_a_dead_one_had_is_taken_by_the_living_and_nothing_else_moves(shards: int, living: int) -> None:
    database = Database([None] * shards, dict.fromkeys("abcdef"[:living], READY))
    database.settle()
    before = list(database.owners)
    del database.masters["a"]
    assert all(database.decided(one) == SpreadSteps() for one in database.masters) or "a" not in before
    database.end_leases()
    database.settle()
    kept = [shard for shard, owner in enumerate(before) if owner != "a"]
    assert [database.owners[shard] for shard in kept] == [before[shard] for shard in kept]
    assert max(database.counts) - min(database.counts) <= 1


@given(SHARDS, st.lists(st.sampled_from([READY, OPENING]), min_size=1, max_size=6))
def test_free_shards_are_dealt_once_each(shards: int, states: list[Readiness]) -> None:
    masters = [Living("abcdef"[place], state) for place, state in enumerate(states)]
    taken = [shard for one in masters for shard in next_steps(one.id, masters, [None] * shards).take]
    assert sorted(taken) == list(range(shards))


def test_only_the_one_with_the_most_releases_only_one_and_never_the_first_shard() -> None:
    owners = ["a", "a", "a", "b", "b", "b"]
    steps = [next_steps(one, living("abc"), owners) for one in "abc"]
    assert steps == [SpreadSteps(), SpreadSteps(let_go=Handing(5, "c")), SpreadSteps(awaits=True)]
    assert next_steps("a", living("ab"), ["a", "a"]) == SpreadSteps(let_go=Handing(1, "b"))


def test_the_next_shard_moves_when_the_one_before_is_served() -> None:
    masters = [*living("a"), Living("b", OPENING)]
    assert next_steps("a", masters, ["a", "a", "a", "a", "b"]) == SpreadSteps()


def test_one_that_cannot_open_a_shard_is_given_none_and_the_others_do_not_wait_for_it() -> None:
    masters = [*living("a"), Living("b", CANNOT)]
    assert next_steps("a", masters, ["a", None, None]) == SpreadSteps(take=(1, 2))
    assert next_steps("b", masters, ["a", None, None]) == SpreadSteps()
    assert next_steps("a", masters, ["a", "a", "a"]) == SpreadSteps()


def test_of_one_that_ends_the_others_await_what_it_has_and_pass_nothing_on_meanwhile() -> None:
    masters = [*living("ab"), Living("c", CANNOT), Living("d", Readiness.ENDING)]
    owners = ["a", "a", "a", "d", "d"]
    steps = [next_steps(one, masters, owners) for one in "abcd"]
    assert steps == [SpreadSteps(awaits=True), SpreadSteps(awaits=True), SpreadSteps(), SpreadSteps()]
    assert next_steps("b", masters, ["a", "a", "a", None, "d"]) == SpreadSteps(take=(3,), awaits=True)
    assert next_steps("a", masters, ["a", "a", "a", "b", "b"]) == SpreadSteps(), "it has none left"


def test_a_readiness_of_a_newer_version_is_taken_for_one_that_cannot() -> None:
    assert [Readiness.of(number) for number in (2, 3, 4)] == [READY, Readiness.ENDING, CANNOT]


def test_a_master_that_takes_all_or_none_is_neither_waited_for_nor_asked() -> None:
    older = Living("a", None)
    assert next_steps("b", [older, *living("b")], ["a", "a", "a"]) == SpreadSteps()
    assert next_steps("b", [older, *living("b")], ["a", None, "a"]) == SpreadSteps(take=(1,))
    assert next_steps("b", [older, *living("bc")], ["a", "b", "b"]).let_go == Handing(2, "c")
