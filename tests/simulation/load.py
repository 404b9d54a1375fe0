"""What is asked of the cluster: tasks, each with a character that decides how its attempts go."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber

from .arranged import TOGETHER_TASK, ordered_options, together
from .crowded import QUEUE, Same, some_unique, tenants
from .handled import have_handlers
from .limited import columns, inner_columns
from .placed import NEEDS
from .steered import indexed
from .world import MS, SECOND, World

TASKS = ("jobs:short", "jobs:long", "jobs:rare")  # rare: not every worker serves it
QUEUES = ("default", "bulk")
DEPTH_MAX, RECENT = 3, 60  # of tasks that submit others; from so many of the last ones one is chosen


class Attempt(NamedTuple):
    """How one attempt goes: its length, and how it ends. ``dies``: with its process."""

    duration: int
    outcome: OutcomeNumber = OutcomeNumber.SUCCESS
    dies: int = 0  # the code its process ends with
    listens: bool = True  # to a request to end
    blocks: bool = False  # the loop that it shares with others, if there is one
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
    tenant: str = ""
    to: str = ""  # an argument by which it is found; empty: it has none,
    is_indexed: bool = False  # though others of the batch may
    same: Same | None = None  # by which it is the same as others
    on_full: str = "wait"
    has_handler: bool = False  # one is made when it ends without success
    is_together: bool = False  # it runs as one call with others of its function
    made: list[Spec] = field(default_factory=list)  # by it, in each attempt
    others: list[Spec] = field(default_factory=list)  # whose handles it may return

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
            case "blocks" if number <= 2:
                return Attempt(short, blocks=True)
            case "blocks, deaf" if number <= 1:
                return Attempt(short, blocks=True, listens=False)
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
        self.blocking: Random | None = None  # the same of those that block the loop that they share
        # The same of those that submit tasks, wait for them and become them; that may not be accepted; that have tenants.
        self.nested: Random | None = None
        self.bounded: Random | None = None
        self.of_tenants: Random | None = None
        self.indexed: Random | None = None  # the same of those with an argument by which they are found
        self.handled: Random | None = None  # the same of those with on_failure
        # The same of those in queues with an order, and of calls that run together
        self.ordered: Random | None = None
        self.joined: Random | None = None

    def of_outbox(self, random: Random) -> list[Spec]:
        """What a row of an outbox submits: some short tasks with consecutive ids, or one."""
        specs: list[Spec] = []
        first = self.new_id()
        for place in range(random.choice((1, 1, 2, 5))):
            id = id_behind(first, place)
            options = {"max_crashes": 4}
            spec = Spec(id, "default", "jobs:short", "plain", options, 1 * MS, random.randbytes(8), specs)
            self.specs[id] = spec
            specs.append(spec)
        return specs

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
        if self.blocking is not None and character in ("hangs", "deaf", "retries"):
            self._block(specs, self.blocking)
        if self.limited is not None and task == "jobs:short":
            said = columns(self.limited, len(specs))
            for spec in specs:
                spec.columns = said
        if self.of_tenants is not None and task == "jobs:short" and self.of_tenants.random() < 0.8:
            said = tenants(self.of_tenants, specs)
            for spec in specs:
                spec.columns = said
        if self.indexed is not None:
            indexed(self.indexed, specs)
        if self.handled is not None:
            have_handlers(self.handled, specs)
        if self.joined is not None and task == TOGETHER_TASK and self.joined.random() < 0.7:
            together(specs)
        return specs

    def in_order(self) -> list[Spec]:
        """Some in a queue with an order."""
        random, batch = self.ordered, list[Spec]()
        assert random is not None
        queue, options = ordered_options(random)
        first = self.new_id()
        for place in range(random.randint(1, 8)):
            length, payload = random.randint(100, 300 * MS), random.randbytes(8)
            character = random.choice(("plain", "plain", "plain", "fails"))
            spec = Spec(id_behind(first, place), queue, TASKS[0], character, options, length, payload, batch)
            self.specs[spec.id] = spec
            batch.append(spec)
        return batch

    def crowd(self) -> list[Spec]:
        """Some that may not be accepted: one that is the same as others by a key, or as many as a queue may not have room for."""
        random = self.bounded
        assert random is not None
        batch: list[Spec] = []
        options: dict[str, Any] = {"max_crashes": 4}
        same, queue, count, on_full = (
            None,
            QUEUE,
            random.randint(1, 9),
            random.choice(("wait", "wait", "raise")),
        )
        if random.random() < 0.6:
            same, options = some_unique(random)
            queue, count, on_full = QUEUES[0], 1, "wait"
        first, character = self.new_id(), random.choice(("plain", "plain", "crashes"))
        for place in range(count):
            length, payload = random.randint(100, 400 * MS), random.randbytes(8)
            spec = Spec(id_behind(first, place), queue, TASKS[0], character, options, length, payload, batch)
            spec.same, spec.on_full = same, on_full
            self.specs[spec.id] = spec
            batch.append(spec)
        return batch

    def _block(self, specs: list[Spec], random: Random) -> None:
        """One of them, for longer or shorter than a loop may stand still."""
        spec = random.choice(specs)
        spec.character = "blocks, deaf" if spec.character == "deaf" else "blocks"
        spec.duration = random.randint(300 * MS, 9 * SECOND)

    def nest(self, specs: list[Spec]) -> None:
        """Some of these submit tasks themselves, wait for them inside themselves, or return their handles."""
        random = self.nested
        if (
            random is None
            or specs[0].task == "jobs:rare"
            or specs[0].character not in ("plain", "fails", "crashes")
        ):
            return
        # Some of them wait inside themselves, maybe for what becomes them: such waits are refused.
        before = [one for one in list(self.specs.values())[-RECENT:] if one not in specs]
        for spec in specs[: random.randint(0, 3)]:
            self._nest(spec, random, 1, before)

    def _nest(self, spec: Spec, random: Random, depth: int, before: list[Spec]) -> None:
        """``before``: what it may become besides what it submits."""
        count = random.randint(1, 3)
        for _ in range(count):
            made = self._made(random)
            spec.made.append(made)
            if depth < DEPTH_MAX and random.random() < 0.4:
                self._nest(made, random, depth + 1, before)
        if count > 1 and random.random() < 0.15:  # a circle, which is refused
            for one, other in ((0, 1), (1, 0)):
                spec.made[one].steps, spec.made[one].others = (("become", 0),), [spec.made[other]]
        if self.limited is not None:
            for made in spec.made:
                if not made.steps and self.limited.random() < 0.7:
                    made.columns = inner_columns(self.limited)
        spec.others = [random.choice(spec.made), random.choice(before or spec.made)]
        spawns, waits = [("spawn", place) for place in range(count)], ("await", random.randint(1, 3))
        become = ("become", int(random.random() < 0.2))
        spec.steps = random.choice(
            (
                (*spawns, waits),
                (*spawns, waits, ("fail", 1), ("work", 50)),
                (("work", 100), *spawns, ("work", 300), waits),
                (spawns[0], waits, *spawns[1:], waits),
                (*spawns, become),
                (*spawns, waits, become),
            )
        )

    def _made(self, random: Random) -> Spec:
        queue, task = random.choice(QUEUES), random.choice(TASKS[:2])
        character = random.choice(("plain", "plain", "plain", "fails", "hopeless", "crashes"))
        options: dict[str, Any] = {"max_crashes": 4}
        if character == "fails":
            options |= {"retries": 3, "backoff": 0.2}
        id, payload = self.new_id(), random.randbytes(8)
        length = random.randint(100, 5 * MS if task == "jobs:short" else 700 * MS)
        spec = self.specs[id] = Spec(id, queue, task, character, options, length, payload)
        return spec

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
