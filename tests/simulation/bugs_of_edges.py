"""Bugs of needs between shards, which the lives of ``edge_lives.py`` are to see."""

from __future__ import annotations

from .bug import Bug

BUGS_OF_EDGES = (
    Bug(
        "an end that is carried twice counts twice",
        "tq.master.edges.edges",
        "            if row.number <= self.taken:\n                continue\n            if self.bytes >= TAKEN_BYTES or not follows(row, self.taken):\n",
        "            if self.bytes >= TAKEN_BYTES:\n",
        (
            (
                "            self.taken = row.number\n",
                "            self.taken = max(self.taken, row.number)\n",
            ),
        ),
    ),
    Bug(
        "what was applied is noted one transaction late",
        "tq.master.edges.edges",
        "            self._store.edges.set_applied(shard, incoming.rows[incoming.done - 1].number)\n",
        "            self._store.edges.set_applied(shard, incoming.applied)\n",
    ),
    Bug(
        "a promise is forgotten at a start",
        "tq.master.edges.promises",
        "        for row in self._store.edges.promises():\n",
        "        for row in list[PromiseRow]():\n",
    ),
    Bug(
        "rows are carried before their commit",
        "tq.master.edges.lines",
        "            self._look_at(shard, line)\n\n    def committed(self) -> None:\n",
        "            line.committed()\n            self._look_at(shard, line)\n\n    def committed(self) -> None:\n",
    ),
    Bug(
        "a store that was restored is not noticed",
        "tq.master.edges.lines",
        "        if not line.is_expected(number):\n",
        "        if line.is_expected(number) is None:\n",
    ),
    Bug(
        "numbers go on after a restore where they were before",
        "tq.master.edges.lines",
        "        if not self._has_begun:\n",
        "        if not self.made:\n",
    ),
    Bug(
        "an answer stops at a restart",
        "tq.master.edges.promises",
        "            if 0 <= row.answered < row.run.length:\n                self._answers.append(promise)\n",
        "            pass\n",
    ),
    Bug(
        "the mirror gives a task to those that need the one behind it",
        "tq.master.edges.needs",
        "            ends = zip(part.ids(), some, strict=True)\n",
        "            ends = zip(part.ids(), [*some[1:], some[0]], strict=True)\n",
    ),
    Bug(
        "a task of another shard that has not ended counts as deleted",
        "tq.master.dependencies.needed_tasks",
        "self._store.edges.mirrored_states(queues, run), WAITS)",
        "self._store.edges.mirrored_states(queues, run), UNKNOWN)",
    ),
    Bug(
        "an end before the answer comes to it is lost",
        "tq.master.edges.promises",
        "            promise.answered += given\n",
        "            promise.answered = run.length\n",
    ),
)
