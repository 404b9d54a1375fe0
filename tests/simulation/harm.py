"""What befalls a cluster with one master, or its workers, links and clients whichever master they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .children import ConcurrentChild
from .worker import Worker
from .world import MS, SECOND, Process, World

if TYPE_CHECKING:
    from .client import Client
    from .disk import Disk
    from .master import Master
    from .network import Network
    from .oracle import Oracle

LEASE = 4 * SECOND
DAMAGED = (
    "due",
    "overdue",
    "finished_before",
    "lease_route",
    "ready_slices",
    "split_slice",
    "succeed_slice",
    "insert_single",
    "ready_heads",
    "find",
    "put_worker",
    "log_attempt",
)


class Harm:
    """The hands that do harm to a cluster."""

    if TYPE_CHECKING:
        world: World
        network: Network
        oracle: Oracle
        disk: Disk
        master: Master
        nature: Process
        workers: list[Worker]
        clients: list[Client]
        faults: dict[str, int]
        chaos_ends: int
        _kinds: list[Callable[[], None]]
        _rate: int

        def start_master(self) -> None: ...
        def new_worker(self, slots: int = 0) -> Worker: ...
        def _new_client(self) -> Client: ...

    def _next_fault(self) -> None:
        if self._kinds and self.world.now < self.chaos_ends:
            self.world.schedule(self.world.between(MS, 2 * self._rate), self.nature, self._do_harm)

    def _do_harm(self) -> None:
        if self.world.now < self.chaos_ends:
            fault = self.world.random.choice(self._kinds)
            name = fault.__name__
            self.faults[name] = self.faults.get(name, 0) + 1
            self.world.log("chaos", name)
            fault()
            self._next_fault()

    def _later(self, delay: int, action: Callable[[], None]) -> None:
        self.world.schedule(delay, self.nature, action)

    def _worker(self) -> Worker | None:
        living = [worker for worker in self.workers if worker.process.alive]
        return self.world.random.choice(living) if living else None

    def kill_master(self) -> None:
        if self.master.process.alive:
            self.master.kill()
            self._later(self.world.between(0, 5 * SECOND), self.start_master)

    def pause_master(self) -> None:
        self._pause_master(self.world.between(MS, 10 * SECOND))

    def _pause_master(self, length: int) -> bool:
        """Whether it was running."""
        process = self.master.process
        if process.paused:
            return False
        process.pause()
        self._later(length, process.resume)
        return True

    def freeze_machine(self) -> None:
        """The master's machine stands still, as one that is moved to another host: what was sent to it arrives later still. No
        worker is lost for that."""
        length = self.world.between(MS, 10 * SECOND)
        if self._pause_master(length):
            for link in self.network.links:
                link.stalled_until = self.world.now + length + self.world.between(MS, SECOND)

    def kill_worker(self) -> None:
        worker = self._worker()
        if worker is not None:
            if self.world.chance(0.3):
                self._silence(worker)
            worker.kill()
            self._later(self.world.between(0, 5 * SECOND), self._replace_workers)

    def _replace_workers(self) -> None:
        for index, worker in enumerate(self.workers):
            if not worker.process.alive:
                self.workers[index] = self.new_worker()

    def pause_worker(self) -> None:
        self._pause(children=True)

    def pause_supervisor(self) -> None:
        self._pause(children=False)

    def _pause(self, *, children: bool) -> None:
        worker = self._worker()
        if worker is None:
            return
        length = self.world.between(MS, 3 * LEASE)
        self.oracle.disturbed(worker.node, length)
        paused = [worker.process, *(worker.children.values() if children else ())]
        for process in paused:
            process.pause()
        for process in paused:
            self._later(length, process.resume)

    def kill_child(self) -> None:
        worker = self._worker()
        if worker is not None and worker.children:
            worker.children[self.world.random.choice(sorted(worker.children))].die(-9)

    def stand_still_in_a_process(self) -> None:
        """One child alone is stopped for a while, as by a debugger: to its supervisor its loop is blocked."""
        worker = self._worker()
        if worker is not None and worker.children:
            child = worker.children[self.world.random.choice(sorted(worker.children))]
            if isinstance(child, ConcurrentChild) and not child.paused:
                child.pause()
                self._later(self.world.between(MS, 8 * SECOND), child.resume)

    def drain_worker(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.drain()
            self.oracle.disturbed(worker.node, 10 * SECOND)
            self._later(self.world.between(SECOND, 8 * SECOND), self._replace_workers)

    def repeat_report(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.repeat_a_report()

    def late_report(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.keep_back_a_report()

    def report_of_what_is_released(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.report_what_it_releases()

    def update_cluster(self) -> None:
        """All workers are stopped, and the master while what they have handed back waits."""
        for worker in self.workers:
            worker.drain()
            self.oracle.disturbed(worker.node, 10 * SECOND)
        self._later(self.world.between(MS, 200 * MS), self.kill_master)
        self._later(self.world.between(SECOND, 5 * SECOND), self._replace_workers)

    def cut_link(self) -> None:
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.reset()

    def cut_all_links(self) -> None:
        """As when a switch restarts: all come back at once; sometimes the disk is in trouble then."""
        for link in list(self.network.links):
            self._mark(link.client.process.name)
            link.reset()
        if self.world.chance(0.5):
            self.failing_disk()

    def silence_link(self) -> None:
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.silent = True

    def stall_link(self) -> None:
        if self.network.links:
            link, length = self.world.random.choice(self.network.links), self.world.between(MS, 6 * SECOND)
            self._mark(link.client.process.name, length)
            link.stalled_until = self.world.now + length

    def _silence(self, worker: Worker) -> None:
        for link in self.network.links:
            if link.client.process is worker.process:
                link.silent = True

    def _mark(self, name: str, lasting: int = 0) -> None:
        for worker in self.workers:
            if worker.process.name == name:
                self.oracle.disturbed(worker.node, lasting)

    def slow_disk(self) -> None:
        self.disk.slowest = self.world.between(5 * MS, 400 * MS)

    def failing_disk(self) -> None:
        length = self.world.between(50 * MS, 2 * SECOND)
        self.disk.fails = 0.5
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, "fails", 0.0))

    def full_disk(self) -> None:
        length = self.world.between(50 * MS, 2 * SECOND)
        self.disk.full = True
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, "full", False))

    def read_only_disk(self) -> None:
        self._trouble(50 * MS, 3 * SECOND, "read_only", True, False)

    def damaged_page(self) -> None:
        """What is read or written there fails, all else works."""
        statement = self.world.random.choice(DAMAGED)
        self._trouble(50 * MS, 3 * SECOND, "damaged", frozenset({statement}), frozenset())

    def no_memory(self) -> None:
        self._trouble(50 * MS, SECOND, "starved", 0.1, 0.0)

    def _trouble(self, shortest: int, longest: int, name: str, value: object, well: object) -> None:
        length = self.world.between(shortest, longest)
        setattr(self.disk, name, value)
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, name, well))

    def damage_record(self) -> None:
        """A link's bytes to one side are no frames any more; often the other side falls silent, too."""
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.damage(self.world.random.choice((link.client, link.server)), silent=self.world.chance(0.5))

    def jump_clock(self) -> None:
        self.world.jump(self.world.random.choice([-3600, 5, 3600, 8 * 24 * 3600]) * SECOND)

    def kill_client(self) -> None:
        index = self.world.between(0, len(self.clients) - 1)
        before = self.clients[index]
        before.kill()
        self.clients[index] = self._new_client()
        self.clients[index].adopt(before.accepted)
