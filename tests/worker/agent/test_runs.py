"""Queues of runs: whatever is done to one, its jobs are those of a plain list of jobs to which the same was done."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tq.worker.agent.jobs import Job
from tq.worker.agent.runs import JobQueue, JobRun, granted_runs

LEASE, QUEUE, NAMES = b"lease", "q", ("m:f", "m:g")


def jobs_of(runs: list[JobRun]) -> list[Job]:
    return [job for run in runs for job in run.jobs()]


class OneByOne(RuleBasedStateMachine):
    """``plain``: the same jobs, each an object of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.plain = JobQueue(), list[Job]()
        self.next_id = self.next_ordinal = 1

    def made(self, count: int, name: int, *, suspect: bool = False) -> JobRun:
        run = JobRun(
            self.next_id.to_bytes(16, "big"),
            self.next_id % 3,
            LEASE,
            QUEUE,
            NAMES[name],
            None,
            [b"%d" % number for number in range(self.next_id, self.next_id + count)],
            suspect,
            ordinal=self.next_ordinal,
        )
        self.next_id += count + name  # sometimes right behind the last one
        self.next_ordinal += count
        return run

    @initialize(gap=st.integers(1, 9))
    def begin(self, gap: int) -> None:
        self.next_ordinal = gap

    @rule(counts=st.lists(st.integers(1, 9), max_size=3), name=st.integers(0, 1), gap=st.integers(0, 2))
    def put(self, counts: list[int], name: int, gap: int) -> None:
        self.next_ordinal += gap
        runs = [self.made(count, name) for count in counts]
        self.plain += jobs_of(runs)
        self.queue.put(runs)

    @rule(name=st.integers(0, 1))
    def put_a_suspect(self, name: int) -> None:
        run = self.made(1, name, suspect=True)
        self.plain += run.jobs()
        self.queue.put([run])

    @rule(most=st.integers(0, 12))
    def take_first_and_put_it_back(self, most: int) -> None:
        taken = self.queue.take_first(most)
        assert jobs_of(taken) == self.plain[:most]
        self.queue.put_first(taken)

    @rule(most=st.integers(0, 12))
    def take_first(self, most: int) -> None:
        assert jobs_of(self.queue.take_first(most)) == self.plain[:most]
        del self.plain[:most]

    @rule(most=st.integers(0, 12))
    def take_last(self, most: int) -> None:
        kept = max(0, len(self.plain) - most)
        assert jobs_of(self.queue.take_last(most)) == self.plain[kept:]
        del self.plain[kept:]

    @precondition(lambda self: self.plain)
    @rule(most=st.integers(1, 12))
    def take_alike(self, most: int) -> None:
        first, count = self.plain[0], 1
        while count < min(most, len(self.plain)):
            job = self.plain[count]
            if job.name != first.name or job.suspect:
                break
            count += 1
        assert jobs_of(self.queue.take_alike(most)) == self.plain[:count]
        del self.plain[:count]

    @precondition(lambda self: self.plain)
    @rule(data=st.data())
    def take_some_attempts(self, data: st.DataObject) -> None:
        wanted = data.draw(st.lists(st.sampled_from(self.plain), max_size=5))
        other = (wanted[0].id, 99) if wanted else (b"", 1)
        keys = {job.key for job in wanted} | {other}
        assert jobs_of(self.queue.take_of(keys)) == [job for job in self.plain if job.key in keys]
        self.plain = [job for job in self.plain if job.key not in keys]

    @rule(ordinal=st.integers(0, 60), count=st.integers(1, 12))
    def take_exactly(self, ordinal: int, count: int) -> None:
        if self.plain and ordinal % 2:
            ordinal = self.plain[0].ordinal
        front = self.plain[:count]
        fits = [job.ordinal for job in front] == list(range(ordinal, ordinal + count))
        assert jobs_of(self.queue.take_exactly(ordinal, count)) == (front if fits else [])
        if fits:
            del self.plain[:count]

    @rule()
    def take_all(self) -> None:
        assert jobs_of(self.queue.take_all()) == self.plain
        self.plain.clear()

    @rule(ordinal=st.integers(0, 60))
    def look_by_ordinal(self, ordinal: int) -> None:
        to = [job for job in self.plain if job.ordinal <= ordinal]
        assert self.queue.count_to(ordinal) == len(to)
        assert self.queue.last_to(ordinal) == (to[-1] if to else None)
        assert self.queue.job(ordinal) == next((job for job in to if job.ordinal == ordinal), None)

    @invariant()
    def the_jobs_are_the_same(self) -> None:
        runs = list(self.queue)
        assert jobs_of(runs) == self.plain
        assert (len(self.queue), bool(self.queue)) == (len(self.plain), bool(self.plain))
        assert all(runs)
        if runs:
            assert self.queue.first is runs[0]


TestOneByOne = OneByOne.TestCase


def test_a_run_is_split_at_places_that_are_within_it() -> None:
    run = JobRun(bytes(16), 1, LEASE, QUEUE, "m:f", None, [b"a", b"b", b"c", b"d"], ordinal=5)
    parts = run.split([-3, 3, 1, 1, 0, 4, 99])
    assert [(part.ordinal, list(part.payloads)) for part in parts] == [
        (5, [b"a"]),
        (6, [b"b", b"c"]),
        (8, [b"d"]),
    ]
    assert jobs_of(parts) == run.jobs()


def test_what_a_lease_grants_is_runs_and_a_suspect_is_one_by_itself() -> None:
    groups = [["q", "m:f", 2.0, [[b"i" * 16, 3, [b"a", b"b"]], [b"j" * 16, 8, b"c", True, 2]]]]
    run, suspect = granted_runs(LEASE, groups)
    assert (run.ids(), run.attempt, run.number, run.suspect) == ([b"i" * 16, b"i" * 15 + b"j"], 3, 3, False)
    assert (len(suspect), suspect.attempt, suspect.number, suspect.suspect) == (1, 8, 2, True)
    assert run.held == [[b"i" * 16, 2], 3, LEASE]
    assert suspect.held == [b"j" * 16, 8, LEASE]
    assert run.goes_with(suspect)
