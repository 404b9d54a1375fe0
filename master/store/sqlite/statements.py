"""The SQL of the embedded store: ``sql/*.sql`` with the names of states and outcomes replaced by their numbers.

In the files a state is ``{state.READY}``, an outcome ``{outcome.SNOOZE}``: as text, not as a parameter, for SQLite uses
a partial index only where it sees the number. A statement that changes the state of tasks says so above its text ::

    -- name: cancel_waiting
    -- moves: waiting to CANCELLED
    UPDATE tasks SET state = {to}, … WHERE seq = ? AND {from}

and its condition ``{from}`` is made from the table in ``common/domain/lifecycle.py``. On the left of ``to`` stands a state,
a group (``waiting``, ``ended``: those of them that may go there) or a parameter; on its right a state or a parameter. A
parameter's value is compared with what the table allows while the statement runs: a move that is not in the table
finds no row.

Raises ValueError, so that no master starts, for a move that is not in the table, for a change of state without ``moves``, and
for a name that stands twice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final

from ....common.domain.lifecycle import WAITING, sources, targets
from ....common.domain.model import TERMINAL_STATES, OutcomeNumber, StateNumber

GROUPS: Final[Mapping[str, frozenset[StateNumber]]] = {"waiting": WAITING, "ended": TERMINAL_STATES}
MOVES: Final = re.compile(r"-- moves: (\S+) to (\S+)\n")
NAMED: Final = re.compile(r"\{(state|outcome)\.(\w+)\}")
CHANGES_STATE: Final = re.compile(
    r"\b(?:UPDATE|INTO)\s+(?:tasks|slices)\b.*?\bSET\b(?:(?!\bWHERE\b).)*?\bstate\s*=", re.DOTALL
)


def load_statements() -> dict[str, str]:
    """The statements of ``sql/*.sql`` by the name in their ``-- name:`` line."""
    return {name: complete(name, sql) for name, sql in by_name(_as_written()).items()}


def by_name(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    statements: dict[str, str] = {}
    for name, sql in found:
        if name in statements:
            raise ValueError(f"two statements have the name {name}")
        statements[name] = sql
    return statements


@functools.cache
def _as_written() -> list[tuple[str, str]]:
    """Names and texts of the files, which are read once."""
    found: list[tuple[str, str]] = []
    for file in sorted(resources.files(__package__).joinpath("sql").iterdir(), key=lambda file: file.name):
        # Without what is before the first name: the words about the file.
        for part in file.read_text("utf-8").split("-- name: ")[1:]:
            name, _, sql = part.partition("\n")
            found.append((name.strip(), sql.strip()))
    return found


def complete(name: str, text: str) -> str:
    """A statement as SQLite gets it."""
    text = NAMED.sub(_number, text)
    moves = MOVES.match(text)
    if moves is not None:
        condition, target = _condition(name, *moves.groups()), _target(moves[2])
        if "{from}" not in text or "{to}" not in text:
            raise ValueError(f"{name} has moves, but lacks {{from}} or {{to}}")
        return text[moves.end() :].replace("{from}", condition).replace("{to}", target)
    if CHANGES_STATE.search(text):
        raise ValueError(f"{name} changes the state of tasks; say above it which it moves: -- moves: … to …")
    return text


def _number(named: re.Match[str]) -> str:
    return str(int(StateNumber[named[2]] if named[1] == "state" else OutcomeNumber[named[2]]))


def _target(word: str) -> str:
    return word if _is_parameter(word) else str(int(StateNumber[word]))


def _condition(name: str, before: str, after: str) -> str:
    """Of the rows that the statement may move."""
    if _is_parameter(after):  # the caller chooses where to
        state = StateNumber[before]
        return f"state = {int(state)} AND {after} IN ({_numbers(targets(state))})"
    allowed = sources(StateNumber[after])
    if _is_parameter(before):  # the caller knows where from
        return f"state = {before} AND state IN ({_numbers(allowed)})"
    if before in GROUPS:
        return f"state IN ({_numbers(GROUPS[before] & allowed)})"
    if StateNumber[before] not in allowed:
        raise ValueError(
            f"{name} moves tasks from {before} to {after}, which is not in the table of lifecycle.py"
        )
    return f"state = {int(StateNumber[before])}"


def _is_parameter(word: str) -> bool:
    return word[0] in ":?"


def _numbers(states: Iterable[StateNumber]) -> str:
    return ", ".join(str(int(state)) for state in sorted(states))
