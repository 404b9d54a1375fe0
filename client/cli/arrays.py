"""``tq show`` and ``tq why`` of an array: how many of its tasks are in each state, what failed, and what the rest waits for."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ...common.domain.ids import show_id
from ...common.domain.model import State, StateNumber
from ...common.domain.tags import ARGUMENT, tags_in_words
from ...common.errors import UnknownTask
from ...common.runtime.terminal import write
from ..app import App
from ..tasks.named import Named
from .bulk import TASKS, newest_tasks, survey
from .flows import flow_in_words, flow_of
from .lines import states_in_words
from .output import ago, count, for_eyes, iso, print_json, print_table, task_row
from .where import Filter

FAILED: Final = (State.FAILED, State.DEAD, State.LOST)
WAITING: Final = (State.READY, State.SCHEDULED, State.BLOCKED)
FAILURES_SHOWN: Final = 5
BAR_CHARS: Final = 60
SIGNS: Final = {"succeeded": "#", "running": ">", "ready": ".", "scheduled": ".", "blocked": "."}
ENDED_SIGN: Final = "x"  # any other end


class ArrayFacts:
    """What the master knows of an array."""

    def __init__(self, app: App, of: Named) -> None:
        self.of, self._app = of, app
        self._ids: Filter = {"ids": list(of.ids)}
        self.states: Counter[int] = survey(app, self._ids).states
        newest = newest_tasks(app, self._ids, 1)
        # All were purged: the ids are still known here, and nothing else.
        if not newest:
            raise UnknownTask(f"none of the tasks {of.ids} is kept")
        self.newest = newest[0]
        self.last_waiting = self._newest(WAITING)
        self.flow = flow_of(app, self.newest["id"])
        self.failed = self._tasks(FAILED, FAILURES_SHOWN)

    @property
    def kept(self) -> int:
        return sum(self.states.values())

    @property
    def failures(self) -> int:
        return sum(self.states[state.number] for state in FAILED)

    @property
    def waiting(self) -> int:
        return sum(self.states[state.number] for state in WAITING)

    @property
    def why(self) -> str:
        """Why its tasks wait: of the last one, which waits longest. Empty when none does."""
        if self.last_waiting is None:
            return ""
        found = self._app.call(TASKS, "why", self.last_waiting["id"])
        words = found.get("why", "")
        return f"{count(self.waiting)} wait; the last one, {self.of.name(self.last_waiting['id'])}: {words}"

    def _tasks(self, states: tuple[State, ...], limit: int) -> list[dict[str, Any]]:
        numbers = [int(state.number) for state in states if self.states[state.number]]
        return newest_tasks(self._app, {**self._ids, "states": numbers}, limit) if numbers else []

    def _newest(self, states: tuple[State, ...]) -> dict[str, Any] | None:
        # Ready first: why a ready one waits is what a person can change.
        return next((task for state in states for task in self._tasks((state,), 1)), None)


def show_array(app: App, of: Named, *, as_json: bool) -> None:
    facts = ArrayFacts(app, of)
    if as_json:
        print_json(_for_programs(facts))
        return
    newest = facts.newest
    write(f"{of.ids}  {count(of.ids.tasks)} tasks\n")
    write(f"  {newest['name']}, the last one submitted {ago(newest['created'])} ago\n")
    write(f"  queue {newest['queue']}, priority {newest['priority']}, retries {newest['retries']}\n")
    if tags := _shared_tags(newest):
        write(f"  tags {tags_in_words(tags)}\n")
    if facts.flow is not None:
        write(f"  {flow_in_words(facts.flow)}\n")
    _print_bar(facts)
    write(f"  {states_in_words(sorted(facts.states.items()))}\n")
    if facts.kept < of.ids.tasks:
        write(f"  {count(of.ids.tasks - facts.kept)} are kept no longer\n")
    if why := facts.why:
        write(f"  {why}\n")
    if facts.failed:
        _print_failures(facts)
    write(f"\n  its tasks: tq ls {of.prefix}{_range(of)}\n")


def explain_array(app: App, of: Named, *, as_json: bool) -> None:
    facts = ArrayFacts(app, of)
    sentence = facts.why or _how_it_stands(facts)
    if as_json:
        print_json({"id": str(of.ids), "states": _states(facts), "why": sentence})
    else:
        write(sentence + "\n")


def _how_it_stands(facts: ArrayFacts) -> str:
    running = facts.states[StateNumber.RUNNING]
    words = str(states_in_words(sorted(facts.states.items())))
    return f"none waits: {words}" if running else f"all have ended: {words}"


def _print_bar(facts: ArrayFacts) -> None:
    """A bar of states, in which what is there at all has a sign at least."""
    signs = Counter[str]()
    for number, tasks in facts.states.items():
        signs[SIGNS.get(str(State.from_number(number)), ENDED_SIGN)] += tasks
    chars = {sign: max(1, round(signs[sign] * BAR_CHARS / facts.kept)) for sign in "#x>." if signs[sign]}
    widest = max(chars, key=lambda sign: chars[sign])
    # Rounding is made good where it shows least.
    chars[widest] += BAR_CHARS - sum(chars.values())
    ended = (signs["#"] + signs[ENDED_SIGN]) / facts.kept
    # 100 % only when it is true: 999,999 of a million would be rounded up to it.
    share = "100%" if ended == 1 else f"{min(99, int(ended * 100))}%"
    write(f"  [{''.join(sign * wide for sign, wide in chars.items())}] {share} ended\n")


def _print_failures(facts: ArrayFacts) -> None:
    more = facts.failures - len(facts.failed)
    write(f"\n  the last {len(facts.failed)} of {count(facts.failures)} that failed:\n" if more else "\n")
    name = facts.of.name if for_eyes() else show_id
    rows = [
        (name(task["id"]), State.from_number(task["state"]), task["attempt"], task["error"] or "")
        for task in facts.failed
    ]
    print_table(("id", "state", "#attempt", "error"), rows, empty="", spare=("#attempt",))
    if more:
        write(f"\n  all that failed: tq ls {facts.of.prefix}{_range(facts.of)} --state failed,dead,lost")


def _range(of: Named) -> str:
    """What stands behind the prefix."""
    whole = of.ids.tasks > 1 and (of.start or len(of.prefix.replace("-", "")) == 32)
    return f"+{of.start}..{of.start + of.ids.tasks - 1}" if whole else ""


def _states(facts: ArrayFacts) -> dict[str, int]:
    return {str(State.from_number(number)): tasks for number, tasks in sorted(facts.states.items())}


def _shared_tags(task: dict[str, Any]) -> dict[str, str]:
    """What all tasks of its array have: arguments that are indexed differ from task to task."""
    return {name: text for name, text in task.get("tags", {}).items() if not name.startswith(ARGUMENT)}


def _for_programs(facts: ArrayFacts) -> dict[str, Any]:
    newest = facts.newest
    return {
        "id": str(facts.of.ids),
        "first": show_id(facts.of.ids.first),
        "tasks": facts.of.ids.tasks,
        "states": _states(facts),
        **{name: newest[name] for name in ("name", "queue", "priority", "retries", "timeout")},
        "tags": _shared_tags(newest),
        "created": iso(newest["created"]),
        "why": facts.why,
        "flow": facts.flow,
        "failed": [task_row(task) for task in facts.failed],
    }
