"""The bugs that are planted to see that the simulator finds them: each is a change of a few words in the shipped text."""

from __future__ import annotations

from .bug import Bug
from .bugs_of_control import BUGS_OF_CONTROL
from .bugs_of_edges import BUGS_OF_EDGES
from .bugs_of_masters import BUGS_OF_MASTERS
from .bugs_of_shards import BUGS_OF_SHARDS

__all__ = ["BUGS", "Bug"]

BUGS = (
    Bug(
        "drop the fence",
        "tq.master.tasks.completion",
        "            if held is None or held.attempt != attempt or held.lease != lease:\n                if not",
        "            if held is not None:\n"
        "                attempt, lease = held.attempt, held.lease\n"
        "            if held is None:\n                if not",
    ),
    Bug(
        "reply before the commit",
        "tq.master.engine.engine",
        "list(self._replies), []\n        return transaction\n",
        "list(self._replies), []\n        if not transaction.failed:\n            self.committed(transaction)\n        return transaction\n",
    ),
    Bug(
        "expire too early",
        "tq.master.tasks.completion",
        "self._store.expire(now.steady,",
        "self._store.expire(now.steady + 2_000,",
    ),
    Bug(
        "retry one too often",
        "tq.common.domain.lifecycle",
        "failures > end.options.retries",
        "failures > end.options.retries + 1",
    ),
    Bug(
        "end as expired what gave up",  # counts and the history agree: only common/domain/lifecycle.py does not
        "tq.common.domain.lifecycle",
        "            return step(StateNumber.FAILED)\n        case OutcomeNumber.SNOOZE",
        "            return step(StateNumber.EXPIRED)\n        case OutcomeNumber.SNOOZE",
    ),
    Bug(
        "forget requeue on disconnect",
        "tq.master.engine.presence",
        "            self._is_away(node, now.mono + self._limits.grace_ms)\n",
        "            pass\n",
    ),
    Bug("reuse an attempt", "tasks.sql", "attempt = attempt + 1", "attempt = max(attempt, 1)"),
    Bug(
        "lose a wake-up",
        "tq.master.tasks.subscriptions",
        "        if stream.outcomes:\n            self._collectable[stream] = None\n        return LATER",
        "        return LATER",
    ),
    Bug(
        "count twice",
        "tq.master.tasks.route",
        "        self.counts[state] += tasks\n",
        "        self.counts[state] += tasks + (state == StateNumber.FAILED)\n",
    ),
    Bug(
        "renew after expiry",
        "tq.master.workers.membership",
        "if mine is not None and mine.attempt == attempt and mine.lease == lease:\n                kept",
        "if mine is None or (mine.attempt == attempt and mine.lease == lease):\n                kept",
    ),
    Bug(
        "no grace after a stall",
        "tq.master.engine.presence",
        '        """This process stood still: that time counts as no node\'s silence or absence."""\n',
        "        return\n",
    ),
    Bug(
        "dedupe by id only",
        "tq.master.tasks.known_tasks",
        "if route != submission.route.plain.number or payload != (",
        "if False and payload != (",
    ),
    Bug(
        "confirm a cancel too early",
        "tq.master.tasks.completion",
        "                    self._leases.cancel_asked(found.id)\n",
        "                    found = found._replace(state=StateNumber.CANCELLED)\n",
    ),
    Bug(
        "start a stale prefetch",
        "tq.worker.agent.agent",
        "        self.backlog.drop(lost)\n",
        "",
    ),
    Bug(
        "take back a job that has begun",
        "tq.worker.agent.effects",
        "self.jobs.count_to(begun)",
        "self.jobs.count_to(begun - 1)",
    ),
    Bug(
        "forget a job that was left",
        "tq.worker.agent.returns",
        "            self._put_back(left)\n",
        "            pass\n",
    ),
    Bug(
        "number workers by a failed transaction",
        "tq.master.workers.membership",
        "        self.by_number.clear()\n        for worker in list(self.by_node.values()):",
        "        for worker in list[Worker]():",
    ),
    Bug(
        "leave the dead in the line for leases",
        "tq.master.engine.session",
        "        leave, self.abandon = self.abandon, None\n",
        "        leave = self.abandon = None\n",
    ),
    Bug(
        "answer from a void transaction",
        "tq.master.engine.engine",
        "            *transaction.calls,\n            *transaction.replies,\n            *self._replies,\n",
        "            *transaction.calls,\n",
    ),
    Bug(
        "follow the clock when it is set", "tq.master.engine.clock", "            self._shift += moved\n", ""
    ),
    Bug(
        "forget at a restart that the clock was set",
        "tq.master.engine.clock",
        "self._shift, self._last = self._kept_shift, now",
        "self._shift, self._last = 0, now",
    ),
    Bug(
        "forget a jump with its transaction",
        "tq.master.engine.clock",
        "            self._kept_shift, self._kept_moment = int(shift), int(moment)\n",
        "            self._shift = self._kept_shift = int(shift)\n            self._kept_moment = int(moment)\n",
    ),
    Bug(
        "accept a stale slice in part",
        "tq.master.tasks.succeeded",
        "is_mine = slice.attempt == reported.attempt and slice.lease == reported.lease",
        "is_mine = at > 0 or (slice.attempt == reported.attempt and slice.lease == reported.lease)",
    ),
    Bug(
        "lease an interval twice",
        "slices.sql",
        "stop = :stop, attempt = attempt + 1",
        "attempt = attempt + 1",
    ),
    Bug(
        "lose the rest of a slice that is reported in part",
        "tq.master.store.sqlite.slice_table",
        '            self.split(one, seq)\n        self._all("split_slice", {"seq": seq, "at": stop})\n',
        "            self.split(one, seq)\n",
    ),
    Bug(
        "forget the leases behind a task that has ended",
        "tq.master.tasks.leases",
        "            self._put(tail)\n",
        "            pass\n",
    ),
    Bug(
        "look for a slice where it began",
        "tq.master.tasks.leases",
        "            place < len(self.starts) and self.starts[place] < stop\n",
        "            False\n",
    ),
    Bug(
        "know a repeated array by its first task",
        "tq.master.tasks.known_tasks",
        "if route != submission.route.plain.number or payload != (",
        "if id == next(iter(submission.ids())) and payload != (",
    ),
    Bug(
        "compare repeated tasks with the first of their array",
        "tq.master.store.sqlite.slice_views",
        "return self._slices.payloads(one.array)[seq - one.array]",
        "return self._slices.payloads(one.array)[0]",
    ),
    Bug(
        "count a single in its array, too",
        "tq.master.store.sqlite.slices",
        "            )\n            self.cut_out(one, runs)\n",
        "            )\n",
    ),
    Bug(
        "reuse an attempt after a hand-back and a crash",  # as if hand-backs were remembered and not written
        "tq.master.engine.engine",
        "        self._load()\n        self.store.rollback()\n",
        "        self._load()\n        self.store.rollback()\n"
        "        self.store._run('UPDATE slices SET attempt = attempt - 1, returned = returned - 1'\n"
        "                        ' WHERE state = 0 AND returned > 0')\n",
    ),
    Bug(
        "call a repeated failure stale",
        "tq.master.tasks.completion",
        "        return store.outcome_of_lease(found.seq, lease) in said\n",
        "        return False\n",
    ),
    Bug(
        "purge an array of which tasks are left",
        "retention.sql",
        "AND NOT EXISTS (SELECT 1 FROM slices WHERE seq >= :array AND seq < arrays.stop)",
        "",
    ),
    Bug(
        "purge an array with the first of its ends",
        "retention.sql",
        "SELECT finished, slices.seq, slices.stop, route",
        "SELECT finished, slices.seq, arrays.stop, route",
    ),
    Bug(
        "purge all of an array of which a part is too many",
        "tq.master.store.sqlite.retention",
        "            if 2 * wanted < has:\n                is_enough = True\n                break\n",
        "            wanted = has\n",
    ),
    Bug(
        "forget a worker that is connected",
        "workers.sql",
        "AND worker NOT IN (SELECT value FROM json_each(?))",
        "AND ? IS NOT NULL",
    ),
    Bug(
        "give the number of a worker to another",
        "workers.sql",
        "AND worker < (SELECT max(worker) FROM workers)\n    AND worker NOT IN (SELECT value FROM json_each(?))",
        "AND ? IS NOT NULL",
    ),
    Bug(
        "submit what was purged without an end",
        "tq.master.store.sqlite.tasks",
        "any(self.slices.at(seq) is not None for seq in numbers if seq is not None)",
        "any(seq is not None for seq in numbers)",
    ),
    Bug(
        "watch a repeated submit before the first one is stored",
        "tq.master.tasks.dispatch",
        "self._repeated.append((submission.session, submission.stream, old))",
        "self._subscriptions.watch_known(submission.session, submission.stream, old)",
    ),
    Bug(
        "read on from the earlier connection of a node",
        "tq.master.engine.open_sessions",
        "if earlier is not None and earlier.open:",
        "if False and earlier:",
    ),
    Bug(
        "make the task of an instant twice",
        "tq.master.schedules.occurrences",
        "if id not in there and one not in decided]",
        "if id not in there]",
    ),
    Bug(
        "write the last instant one transaction late",
        "tq.master.schedules.schedules",
        "        self._store.decided(decided)\n",
        "        self._store.decided(vars(self).get('late', ()))\n        vars(self)['late'] = decided\n",
    ),
    Bug(
        "purge too early",
        "tq.master.tasks.expiry",
        "store.purge(now.steady - limits.result_ttl_ms, STEP_TASKS,",
        "store.purge(now.steady, STEP_TASKS,",
    ),
    Bug(
        "lose a decrement of what ends together",
        "tq.master.dependencies.dependencies",
        "dependent.left -= sign * part.length\n",
        "dependent.left -= sign * (1 if part.length > 1 else part.length)\n",
    ),
    Bug(
        "let a task wait for a queue that its key does not cover",
        "tq.master.dependencies.dependencies",
        "        is_within = within(self._routes, session)\n",
        "        is_within = lambda route: True\n",
    ),
    Bug(
        "run before all that is needed has ended",
        "tq.common.domain.on_error",
        "    return Verdict.WAIT if left else Verdict.RUN",
        "    return Verdict.WAIT if left > 1 else Verdict.RUN",
    ),
    Bug(
        "forget at a restart what was decided and not done",
        "tq.master.dependencies.dependencies",
        "        self._unwritten.write(self._changed)\n",
        "        self._unwritten.write({} if self._decisions.ripe else self._changed)\n",
    ),
    Bug(
        "give the results of others",
        "tq.master.dependencies.results",
        "for id in run.ids()]\n        found = outcomes",
        "for id in run.ids()][::-1]\n        found = outcomes",
        (
            (
                "return to_rows(found)\n",
                "return to_rows([(id, *rest) for id, (_, *rest) in zip(ids[::-1], found)])\n",
            ),
        ),
    ),
    Bug(
        "purge what is needed",
        "tq.master.store.sqlite.retention",
        "        self._is_needed = is_needed\n",
        "        self._is_needed = lambda run: False\n",
    ),
    Bug(
        "make a callback twice",
        "tq.master.flows.callbacks",
        "                self._make(row, one, now)\n",
        "                self._make(row, one, now)\n                self._make(row._replace(run=row.run + 1), one, now)\n",
    ),
    Bug(
        "leave out a callback after a restart",
        "tq.master.flows.callbacks",
        "        self._ended = dict.fromkeys(self._store.with_callbacks())\n",
        "        self._ended = {}\n",
    ),
    Bug(
        "count a task of a flow that is retried as ended",
        "tq.master.flows.live",
        "        self._count(state, -tasks)\n",
        "",
    ),
    Bug(
        "end a flow that is not sealed",
        "tq.master.flows.live",
        "is_over = row.node is None and ",
        "is_over = row.total and ",
    ),
    Bug(
        "wait without end for a program that fills a flow",
        "tq.master.flows.flows",
        "        return node in self.table.filled\n\n    def node_lost",
        "        return False\n\n    def node_lost",
    ),
    Bug(
        "record a step of a stale attempt",
        "tq.master.steps.steps",
        "if held is not None and (held.attempt, held.lease) == (attempt, lease) else None",
        "",
    ),
    Bug(
        "forget a signal that came before its task slept",
        "tq.master.steps.signals",
        "        return bool(waits) and any(",
        "        return False and any(",
    ),
    Bug(
        "take a signal twice",
        "tq.master.steps.signals",
        "            self._store.steps.take(wait.seq, found.token, wait.number)\n",
        "",
    ),
    Bug(
        "lease more than a worker has",
        "tq.master.tasks.lanes",
        "                room = min(room, fits) if lane.runs_together or not self._fit.has_others else 1\n",
        "                pass\n",
    ),
    Bug(
        "count what is left of a slice twice",
        "tq.master.tasks.leases",
        "            self._put(tail)\n",
        "            self.add(tail)\n",
    ),
    *BUGS_OF_CONTROL,
    *BUGS_OF_MASTERS,
    *BUGS_OF_SHARDS,
    *BUGS_OF_EDGES,
    Bug(
        "keep the permits of tasks in mixed arrays",
        "tq.master.tasks.mixed",
        "                self._runs_no_more(lane, tasks)\n",
        "",
    ),
    Bug(
        "store the lanes of a mixed array the other way round",
        "tq.master.tasks.mixed",
        "packed_codes(self.codes)",
        "packed_codes(self.codes[::-1])",
    ),
)
