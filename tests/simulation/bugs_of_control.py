"""Planted bugs of limits, placing, uniques, bounds, turns, caps, strikes and handlers; of children of many tasks, lending and becoming."""

from __future__ import annotations

from .bug import Bug

BUGS_OF_CONTROL = (
    Bug(
        "start one more than a limit allows",
        "tq.master.limits.permits",
        "room = max((limit.max_running - self.running) // units, alone)",
        "room = max((limit.max_running - self.running + 1) // units, alone)",
    ),
    Bug(
        "take no token for what starts together",
        "tq.master.limits.permits",
        "            self.level -= units * self.limit.tokens.ms\n",
        "            self.level -= min(units, 1) * self.limit.tokens.ms\n",
    ),
    Bug(
        "have all tokens again after a restart",
        "tq.master.limits.permits",
        "use.level = min(use.full, row.level * rate.ms // row.ms)",
        "use.level = use.full",
    ),
    Bug(
        "lose a permit of those that end together",
        "tq.master.tasks.held",
        "self.permits.give_back(lane.key.limits, tasks)",
        "self.permits.give_back(lane.key.limits, 1)",
    ),
    Bug(
        "forget at a restart what runs under a limit",
        "tq.master.tasks.limiter",
        "if lane.key.limits and (running := lane.running):",
        "if lane.key.limits and (running := 0):",
    ),
    Bug(
        "never look again at what waits for a token",
        "tq.master.tasks.held",
        "            self.timers[term[:2]] = max(moment, now + 1)\n",
        "            pass\n",
    ),
    Bug(
        "lend beyond a limit",
        "tq.master.tasks.lent_slots",
        "room = min(run.length, held.room(lane, now, reserved))",
        "room = run.length",
    ),
    Bug(
        "read ahead under a limit what others could start",
        "tq.master.tasks.asking",
        "return max(own, room - self._others(lane, room - own))",
        "return room",
    ),
    Bug(
        "serve those first that have waited longest, whatever they have free",
        "tq.master.tasks.parked",
        "        if self._routes.of_limit:\n            self._serve_free_places(now)",
        "        if False:\n            self._serve_free_places(now)",
    ),
    Bug(
        "place where the labels rule it out",
        "tq.master.tasks.placements",
        "Place.of(seat.labels, seat.resources, self.amounts(worker))",
        "Place.of({**seat.labels, 'zone': 'eu'}, seat.resources, self.amounts(worker))",
    ),
    Bug(
        "accept a second one with a key while the first one runs",
        "tq.master.tasks.uniques",
        "            and terms.has(found[row.id].state)\n",
        "            and terms.has(found[row.id].state) and found[row.id].state != 3\n",
    ),
    Bug(
        "leave what is replaced",
        "tq.master.tasks.uniques",
        "reached = self._completion.cancel(conflicts.values(), self._timeline.now, running=False)",
        "reached = list(conflicts.values())",
        (
            (
                "gone = {one.id for one in reached if one.state == CANCELLED}",
                "gone = {one.id for one in reached}",
            ),
        ),
    ),
    Bug(
        "forget the period when the first one has ended",
        "tq.master.tasks.uniques",
        "if row.until is None or now < row.until]",
        "if row.until is None or now + 500 < row.until]",
    ),
    Bug(
        "take one more than a queue has room for",
        "tq.master.tasks.dispatch",
        "return queue.maxsize - queue.waiting - self._unwritten[queue] if queue.maxsize else SUBMIT_TASKS_MAX",
        "return queue.maxsize + 1 - queue.waiting - self._unwritten[queue] if queue.maxsize else SUBMIT_TASKS_MAX",
    ),
    Bug(
        "forget what the same transaction has put into a full queue",
        "tq.master.tasks.dispatch",
        "return queue.maxsize - queue.waiting - self._unwritten[queue] if",
        "return queue.maxsize - queue.waiting if",
    ),
    Bug(
        "tell who submits again nothing of what was stored before",
        "tq.master.tasks.full_queues",
        "if said.stream is not None and (known",
        "if False and (known",
    ),
    Bug(
        "serve a tenant again before the others",
        "tq.master.tasks.turns",
        "tenant.last, tenant.left = self._count, ",
        "tenant.last, tenant.left = self._count * (self._count % 4 > 0), ",
    ),
    Bug(
        "charge all tasks of a process for one that killed it",
        "tq.worker.agent.concurrent_death",
        "        elif is_known and job.ordinal != culprit:\n",
        "        elif False and is_known:\n",
    ),
    Bug(
        "charge its neighbours for one that was given up",
        "tq.worker.agent.concurrent_child",
        "return ordinal in self.under_way or ordinal in self.given_up",
        "return ordinal in self.under_way",
    ),
    Bug(
        "hand back what has begun as if it had not",
        "tq.worker.agent.agent",
        "            self.ended.put(job, outcome, failure.encode(), now, max(0.0, now - since), None)\n",
        "            if self.connected or outcome != 8:\n"
        "                self.ended.put(job, outcome, failure.encode(), now, max(0.0, now - since), None)\n",
    ),
    Bug(
        "take the report of a job that was given up",
        "tq.worker.agent.concurrent_child",
        "        if ordinal not in self.given_up:\n            return False\n",
        "        return False\n",
    ),
    Bug(
        "lend more slots than tasks wait",
        "tq.worker.agent.lending",
        "return busy < len(self.sleepers)",
        "return busy <= len(self.sleepers)",
    ),
    Bug(
        "have lent children run anything",
        "tq.worker.agent.lending",
        "self._backlog.waiting.take_within(sleeper.runs)",
        "self._backlog.waiting.take_all()",
    ),
    Bug(
        "never ask again for what is waited for",
        "tq.worker.agent.lending",
        '        """Calls of the connection before this one are not answered."""\n'
        "        for sleeper in self.sleepers.values():\n            sleeper.token = 0\n",
        "        pass\n",
    ),
    Bug(
        "refuse a wait before the bound",
        "tq.worker.agent.lending",
        "return not self._starting and self.idle is None and lent >= self._most",
        "return not self._starting and self.idle is None and lent >= 1",
    ),
    Bug(
        "end as another one without its result",
        "tq.master.dependencies.becomings",
        'state, body = found.state, found.body or b""',
        'state, body = found.state, (found.body or b"")[:-1]',
    ),
    Bug(
        "purge what another task became",
        "tq.master.dependencies.dependencies",
        "        return self._becomings.is_needed_by_any(run)\n",
        "        return self._becomings.known.needed.has(run)\n",
    ),
    Bug(
        "forget at a restart what tasks became",
        "tq.master.dependencies.becomings",
        "        for row in self._store.dependencies.open_becomings():\n            self._add(row)\n",
        "        for row in list[BecomingRow]():\n            self._add(row)\n",
    ),
    Bug(
        "become what waits for it",
        "tq.master.dependencies.becomings",
        '        return f"{named} waits for this task in turn" if closes else ""\n',
        '        return ""\n',
    ),
    Bug(
        "start one more than a cap allows",
        "tq.master.tasks.route",
        "max(0, most - self.counts[RUNNING])",
        "max(0, most - self.counts[RUNNING]) + 1",
    ),
    Bug(
        "forget at a restart what is set for a tenant",
        "tq.master.tenants.tenants",
        "{row.name: row for row in self._store.tenant_rows()}",
        "{}",
    ),
    Bug(
        "give each tenant two turns at once",
        "tq.master.tasks.turns",
        "tenant.weight - -tenant.left % tenant.weight",
        "2 * tenant.weight - -tenant.left % tenant.weight",
    ),
    Bug(
        "never let a tenant start again that had no room",
        "tq.master.tasks.routes",
        "            self.lanes.freed(lane.tenant)\n",
        "            pass\n",
    ),
    Bug(
        "hold no lane that is made after a strike",
        "tq.master.tasks.struck",
        "if number not in lane.struck and holds(strike.condition, facts):",
        "if False and number not in lane.struck and holds(strike.condition, facts):",
    ),
    Bug(
        "forget strikes at a restart",
        "tq.master.tasks.struck",
        "for lane in self._routes if self._strikes.by_number else ():",
        "for lane in ():",
    ),
    Bug(
        "make no handler of what expires",
        "tq.master.tasks.failure_handlers",
        "StateNumber.LOST, StateNumber.EXPIRED)",
        "StateNumber.LOST)",
    ),
    Bug(
        "forget the handlers that a transaction has no room for",
        "tq.master.tasks.failure_handlers",
        "            self._store.add(self._ended)\n",
        "            pass\n",
    ),
    Bug(
        "put what a strike held in no line again",
        "tq.master.tasks.struck",
        "            self._routes.is_ready(lane)\n",
        "            pass\n",
    ),
    Bug(
        "give more calls than run together",
        "tq.master.tasks.lanes",
        "most = lane.key.coalesce[0] if",
        "most = lane.key.coalesce[0] + 1 if",
    ),
    Bug(
        "start without waiting for company",
        "tq.master.tasks.held",
        "if lane.ready >= calls or now >=",
        "if lane.ready or now >=",
    ),
    Bug(
        "accept one more than the quota of a key",
        "tq.master.tasks.key_quotas",
        "return max(0, quota.tasks - use.tasks)",
        "return max(0, quota.tasks + 1 - use.tasks)",
    ),
    Bug(
        "forget at a restart what a key has",
        "tq.master.tasks.key_quotas",
        "in self._store.unfinished_sizes(list(owned)) if owned else ():",
        "in list[tuple[int, bytes, int]]():",
    ),
    Bug(
        "count nothing of a key that runs again by hand",
        "tq.master.tasks.key_quotas",
        "            self._add(owner, found.id, len(self._store.payload(found.seq)))\n",
        "            pass\n",
    ),
    Bug(
        "start the oldest of a lifo queue first",
        "tq.master.store.interface.tasks",
        "return rank, -seq if self.is_lifo else seq",
        "return rank, seq",
    ),
    Bug(
        "let waiting add nothing",
        "tq.master.store.interface.tasks",
        "(self.period - created // self.aging if self.aging else 0)",
        "0",
    ),
    Bug(
        "go by age whatever the deadline",
        "tq.master.store.interface.tasks",
        "            self.by_deadline and deadline is not None\n",
        "            False and deadline is not None\n",
    ),
    Bug(
        "have a map's tasks in the line of its first lane",
        "tq.master.tasks.mixed",
        "                _share(lanes[code]).add(one.rank, seqs)\n",
        "                _share(lanes[0]).add(one.rank, seqs)\n",
    ),
)
