"""What is asked of the cluster: tasks, each with a character that decides how its attempts go."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber

from .limited import columns
from .placed import NEEDS
from .world import MS, SECOND, World

TASKS = ("jobs:short", "jobs:long", "jobs:rare")  # rare: not every worker serves it
QUEUES = ("default", "bulk")


class Attempt(NamedTuple):
    """How one attempt goes: its length, and how it ends. ``dies``: with its process."""

    duration: int
    outcome: OutcomeNumber = OutcomeNumber.SUCCESS
    dies: int = 0  # the code its process ends with
    listens: bool = True  # to a request to end
    after: float | None = None


@dataclass(slots=True)
class Spec:
    """One task: options as a client gives them, and a character."""

    id: bytes
    queue: str
    task: str
    character: str
    options: dict[str, Any]
    duration: int
    payload: bytes = field(default=b"")
    batch: list[Spec] = field(default_factory=list)  # those that were submitted with it, in order
    needs: tuple[bytes, ...] = ()  # the tasks whose results it is given
    minimum: int = 0  # of these must succeed
    depth: int = 0  # of needs behind one another
    flow: bytes | None = None
    steps: tuple[tuple[str, float], ...] = ()  # ``attempts.py`` has the kinds
    result_bytes: int = 0  # besides what it says
    columns: dict[str, Any] | None = None  # of the batch: limits and tenants

    def attempt(self, number: int) -> Attempt:
        short = self.duration
        match self.character:
            case "fails" if number <= 2:
                return Attempt(short, OutcomeNumber.ERROR)
            case "hopeless":
                return Attempt(short, OutcomeNumber.ERROR)
            case "retries" if number <= 2:
                return Attempt(short, OutcomeNumber.RETRY, after=0.3)
            case "snoozes" if number <= 2:
                return Attempt(short, OutcomeNumber.SNOOZE, after=0.5)
            case "discards":
                return Attempt(short, OutcomeNumber.DISCARD)
            case "crashes" if number <= 1:
                return Attempt(short, dies=-11)
            case "poison":
                return Attempt(short, dies=-9)
            case "hangs" if number <= 1:
                return Attempt(3600 * SECOND)
            case "deaf" if number <= 1:
                return Attempt(3600 * SECOND, listens=False)
        return Attempt(short)


class Load:
    """Makes tasks up, and remembers them."""

    def __init__(self, world: World, *, uneven: float = 0.0, placed: Random | None = None) -> None:
        """``uneven``: how many of the batches are arrays of which a few tasks take long. ``placed``: tasks ask for something of
        their workers, by this source of chance."""
        self._placed = placed
        self._world, self._uneven, self.is_uneven = world, uneven, uneven > 0
        self.specs: dict[bytes, Spec] = {}
        self.limited: Random | None = None  # decides which tasks have limits; None: none have

    def batch(self) -> list[Spec]:
        """Some tasks of one callable, queue and character: what one submit carries."""
        world = self._world
        if self._uneven and world.chance(self._uneven):
            return self._uneven_array()
        queue, task = world.random.choice(QUEUES), world.random.choice(TASKS)
        kinds = ["plain"] * 8 + [
            "fails",
            "hopeless",
            "retries",
            "snoozes",
            "discards",
            "crashes",
            "poison",
            "hangs",
            "deaf",
        ]
        character = world.random.choice(kinds)
        options: dict[str, Any] = {}
        if character in ("fails", "retries"):
            options |= {"retries": 3, "backoff": 0.2}
        if character in ("hangs", "deaf"):
            options |= {"retries": 2, "backoff": 0.1, "timeout": 0.5}
        if world.chance(0.2):
            options["delay"] = world.between(1, 4_000) / 1000
        elif world.chance(0.05):
            options["at"] = (world.now + world.wall_offset) // MS / 1000 + world.between(0, 4)
        if world.chance(0.15):
            options["priority"] = world.between(-100, 100)
        if world.chance(0.1):
            options["expires"] = world.between(1_000, 10_000) / 1000
        if not options.get("retries") and world.chance(0.2):
            options["delivery"] = "at_most_once"
        options.setdefault("max_crashes", 4)
        if self._placed is not None:
            options |= self._placed.choice(NEEDS)
        longest = {"jobs:short": 5 * MS, "jobs:long": 900 * MS, "jobs:rare": 60 * MS}[task]
        specs: list[Spec] = []
        first = self.new_id()
        neighbours = world.chance(
            0.7
        )  # consecutive ids, as clients draw them: such tasks are stored as an array
        many = task == "jobs:short" and world.chance(0.1)
        for place in range(world.between(13, 60) if many else world.between(1, 12)):
            id = id_behind(first, place) if neighbours else self.new_id()
            length, payload = world.between(100, longest), world.random_bytes(8)
            spec = Spec(id, queue, task, character, options, length, payload, specs)
            self.specs[id] = spec
            specs.append(spec)
        if self.limited is not None and task == "jobs:short":
            said = columns(self.limited, len(specs))
            for spec in specs:
                spec.columns = said
        return specs

    def _uneven_array(self) -> list[Spec]:
        """Short tasks, of which a few take long or have to be tried again: it ends piece by piece."""
        world = self._world
        queue, task, first = world.random.choice(QUEUES), world.random.choice(TASKS[:2]), self.new_id()
        options = {"retries": 3, "backoff": 0.2, "max_crashes": 4}
        specs: list[Spec] = []
        for place in range(world.between(4, 24)):
            character, length = "plain", world.between(100, 5 * MS)
            if world.chance(0.1):
                length = world.between(100 * MS, 2 * SECOND)
            elif world.chance(0.05):
                character = world.random.choice(("fails", "retries", "snoozes"))
            id, payload = id_behind(first, place), world.random_bytes(8)
            spec = Spec(id, queue, task, character, options, length, payload, specs)
            self.specs[id] = spec
            specs.append(spec)
        return specs

    def like(self, spec: Spec, count: int) -> list[Spec]:
        """So many neighbours of one kind."""
        first, batch = self.new_id(), list[Spec]()
        for place in range(count):
            id, payload = id_behind(first, place), self._world.random_bytes(8)
            made = Spec(
                id, spec.queue, spec.task, spec.character, spec.options, spec.duration, payload, batch
            )
            self.specs[id] = made
            batch.append(made)
        return batch

    def of_master(self, id: bytes) -> None:
        """A task that a schedule has made, or a flow that has ended; its id decides how long it takes."""
        number = int.from_bytes(id[-4:], "big")
        length = 200 * MS + number % SECOND if number % 8 == 0 else 100 + number % (5 * MS)
        self.specs[id] = Spec(id, "", "", "plain", {}, length)

    def new_id(self) -> bytes:
        world = self._world
        return (world.now // MS).to_bytes(6, "big") + world.random_bytes(6) + b"\0" + world.random_bytes(3)

    @property
    def longest_wait(self) -> int:
        """How long a task may honestly take to end once nothing fails any more."""
        return 20 * SECOND
