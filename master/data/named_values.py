"""Named values: a manager's dict, list, Namespace, Value and Array that outlive the programs that use them.

::

    make ─► a row with the value
    call ─► done in memory ─► if it may have changed the value: a row of the call ─┬─► one commit ─► its answer
                                       calls that outgrow the value: a new value ──┘
    first use after a start ─► the stored value, and every stored call replayed on it, in order

The store keeps the calls that change a value and not each new value: a large dict is not rewritten for each key. Calls on
the types of data are deterministic (``types.py``), so a replay gives the same value and the same answers.

Each caller numbers its calls, and the last number of each caller is remembered with its answer. A call that is repeated after
a lost connection gets the same answer and takes effect once.

Invariants: 1. memory equals the stored value with the stored calls replayed; 2. a call takes effect once for its number; 3. a value
that cannot be read back is kept, and only calls on that value fail.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.model import check_new
from ...common.errors import (
    DecodeError,
    InvalidArgument,
    RemoteError,
    StoreError,
    TqError,
    UnknownObject,
)
from ...common.runtime.callbacks import OUT_OF_MEMORY
from ...common.values.brief import brief
from ...common.values.codec import decode, encode
from ...common.values.elements import effort, measure, weight
from ...common.values.exception_text import message
from ...common.values.failure import Failure
from ..api.payloads import check_weight
from ..engine.accounts import Account, Resource, give_back
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.data import DataCall
from ..store.interface.store import Picture, Store
from .effort import CALL_EFFORT, CALLS_EFFORT_MAX, EFFORT_MAX, check_effort
from .types import (
    DATA,
    DataType,
    Datum,
    arguments,
    check_bytes,
    deserialized,
    encoded_answer,
    plain,
    takes_apart,
)

NAMES_MAX: Final = 10_000
BYTES_MAX: Final = 4 * 1024 * 1024  # of one value: reading or writing all of it blocks the master
WORKED_BYTES_MAX: Final = 1024 * 1024  # in one transaction: a megabyte of small lists takes a second
# Of memory for all values; the one used last stays, whatever its size
RESIDENT_BYTES_MAX: Final = 128 * 1024 * 1024
CALLS_BYTES_MIN: Final = 64 * 1024  # of stored calls, before the value is written again
CALL_BYTES: Final = 64  # what a row takes besides its content
LINEAR: Final = 64  # a call that moves all elements counts as writing this fraction of the value
CALLER_BYTES: Final = 200  # what a caller takes in memory besides its answer
CALLERS_MAX: Final = 1_000  # remembered for each value, the latest
# Of each value; beyond it the oldest answers are forgotten, but not their numbers
ANSWERS_BYTES_MAX: Final = 1024 * 1024


@dataclass(eq=False, kw_only=True, slots=True)
class NamedValue:
    """``datum``: None until its first use. ``stored_bytes``: size of the stored value, ``calls_bytes``: of the calls stored
    since. ``last``: number and answer of each caller's last call, the latest at the end."""

    number: int
    name: str
    type: str
    stored_bytes: int
    calls_bytes: int = 0
    calls_effort: int = 0
    datum: Datum | None = None
    last: dict[bytes, tuple[int, bytes | None]] = field(default_factory=dict)
    answers_bytes: int = 0
    account: Account | None = None  # of the key that made it; None: made before the master started
    weight: int = 0  # of memory that its value takes, about, while it is loaded

    @property
    def size_bytes(self) -> int:
        return self.stored_bytes + self.calls_bytes

    @property
    def memory_bytes(self) -> int:
        return self.weight + self.answers_bytes + CALLER_BYTES * len(self.last)

    def remember(self, caller: bytes, number: int, answer: bytes | None) -> None:
        _, before = self.last.pop(caller, (0, None))
        self.last[caller] = number, answer
        self.answers_bytes += len(answer or b"") - len(before or b"")
        if len(self.last) > CALLERS_MAX:
            _, before = self.last.pop(next(iter(self.last)))
            self.answers_bytes -= len(before or b"")
        if self.answers_bytes > ANSWERS_BYTES_MAX:
            self._forget_answers()

    def _forget_answers(self) -> None:
        for caller, (number, answer) in list(self.last.items())[:-1]:
            if self.answers_bytes <= ANSWERS_BYTES_MAX:
                break
            self.last[caller] = number, None
            self.answers_bytes -= len(answer or b"")

    def callers(self) -> bytes:
        return encode([[caller, number, answer] for caller, (number, answer) in self.last.items()])


class NamedValues(Part):
    """All named values of one master."""

    def __init__(self, store: Store, report: Callable[..., None]) -> None:
        self._store, self._report = store, report
        self.by_name: dict[str, NamedValue] = {}
        self._resident: dict[
            NamedValue, int
        ] = {}  # loaded values and their bytes, the one used last at the end
        self._resident_bytes = 0
        # of this transaction
        self.worked_bytes = 0  # scanned, read and answered: see ``is_full``
        self._calls: list[DataCall] = []
        self._outgrown: dict[NamedValue, None] = {}
        self._used: dict[NamedValue, None] = {}

    def load(self, _: Picture, now: Now) -> None:
        """Load the names only: a value is read at its first use."""
        self._resident.clear()
        self._resident_bytes = 0
        before, self.by_name = self.by_name, {}
        for row in self._store.data.load():
            known = before.pop(row.name, None)
            self.by_name[row.name] = NamedValue(
                number=row.data,
                name=row.name,
                type=row.type,
                stored_bytes=row.size_bytes,
                account=None if known is None else known.account,
            )
        for known in before.values():  # made in the transaction that failed
            give_back(known.account, Resource.DATA)

    def make(self, type: str, name: str, payload: bytes, account: Account | None = None) -> bytes:
        """Create the value of this name from these arguments unless it exists, charged to ``account``, which may raise QuotaExceeded.
        The encoded answer: ``["object", type, name, exposed methods]``, or ``["error", failure]`` for what creating it raised."""
        kind = DATA.get(type)
        if kind is None:
            raise UnknownObject(f"a {brief(type, 80)} cannot be named; these can: {', '.join(DATA)}")
        named = self.by_name.get(name)
        if named is None:
            check_new(type, name, False)
            if len(self.by_name) >= NAMES_MAX:
                raise InvalidArgument(f"there are {NAMES_MAX:,} named values already; `tq data` lists them")
            if account is not None:
                account.check(Resource.DATA, 1)
            check_bytes(len(payload), BYTES_MAX)
            check_effort(effort(payload, EFFORT_MAX), EFFORT_MAX)
            check_weight(payload)
            args, kwargs = arguments(payload, [], kept=True, must_stay=True, whole=type != "dict")
            try:
                thing = kind.make(*args, **kwargs)
                value = encode(kind.parts(thing), judged=True)
            except TqError:
                raise
            except Exception as error:  # an array of characters may be made from bytes that are none
                return _failed(error)
            check_bytes(len(value), BYTES_MAX)
            datum = _within_limits(kind, thing, len(value), effort(value))
            self._add(name, type, datum, value, account)
        elif named.type != type:
            raise InvalidArgument(f"{name!r} is a {named.type} already, not a {type}; use another name")
        return encode(["object", type, name, list(kind.exposed)])

    def call(
        self, type: str, name: str, caller: bytes, number: int, method: str, payload: bytes, slices: list[Any]
    ) -> bytes:
        """The encoded answer: ``["value", …]``, or ``["error", failure]`` for what the method raised."""
        named = self.get(name)
        if named.type != type:
            raise InvalidArgument(f"{name!r} is a {named.type}, not a {type}")
        datum = self._datum(named)
        done, answer = named.last.get(caller, (0, None))
        if number <= done:
            if number < done or answer is None:  # only the last answer of a caller is kept
                raise RemoteError(  # not Unreachable: the client would repeat the call without end
                    "this call took effect, but its answer was lost with the connection and is not kept any more"
                )
            return answer
        check_bytes(len(payload), BYTES_MAX)
        taken, hard = measure(payload, EFFORT_MAX)
        check_effort(hard, EFFORT_MAX)
        check_weight(payload)
        answer = _perform(datum, method, payload, slices, effort=hard)
        self.worked_bytes += len(answer) + _looked_at(datum, method)
        if method in datum.type.changing:
            named.remember(caller, number, answer)
            named.weight += taken if method in datum.type.growing else 0
            named.calls_effort += CALL_EFFORT + hard
            self._note(
                named, datum, DataCall(named.number, caller, number, encode([method, payload, slices]))
            )
            if method in datum.type.linear:
                named.calls_bytes += datum.size_bytes // LINEAR
        return answer

    def get(self, name: str) -> NamedValue:
        named = self.by_name.get(name)
        if named is None:
            raise UnknownObject(
                f"no value is named {brief(name, 80)} (any more); create it with "
                f"manager.dict(name={brief(name, 80)})"
            )
        return named

    def parts(self, named: NamedValue) -> list[Any]:
        """The whole value: see ``DataType.parts``."""
        datum = self._datum(named)
        self.worked_bytes += datum.size_bytes
        return datum.type.parts(datum.thing)

    def drop(self, named: NamedValue) -> None:
        self._calls = [call for call in self._calls if call.data != named.number]
        self._outgrown.pop(named, None)
        self._used.pop(named, None)
        self._resident_bytes -= self._resident.pop(named, 0)
        give_back(named.account, Resource.DATA)
        self._store.data.drop(named.number)
        del self.by_name[named.name]

    # one transaction

    def settle(self, now: Now) -> None:
        """Write the calls of this transaction, and rewrite the values that their calls have outgrown."""
        self.worked_bytes = 0
        if not self._used:  # no value was called or read in this transaction
            return
        self._store.data.add_calls(self._calls)
        self._calls.clear()
        for named in self._outgrown:
            self._rewrite(named, self._datum(named))
        self._outgrown.clear()
        for named in self._used:
            self._resident_bytes += named.memory_bytes - self._resident[named]
            self._resident[named] = named.memory_bytes
        self._used.clear()
        while len(self._resident) > 1 and self._resident_bytes > RESIDENT_BYTES_MAX:
            self._evict(next(iter(self._resident)))

    def void(self) -> Iterable[Session]:
        self._calls.clear()
        self._outgrown.clear()
        self._used.clear()
        self.worked_bytes = 0
        return ()

    def is_full(self) -> bool:
        return self.worked_bytes >= WORKED_BYTES_MAX

    # helpers

    def _add(self, name: str, type: str, datum: Datum, value: bytes, account: Account | None) -> None:
        number = self._store.data.add(name, type, value, encode([]))
        named = NamedValue(
            number=number, name=name, type=type, stored_bytes=len(value), datum=datum, weight=weight(value)
        )
        if account is not None:
            account.note(Resource.DATA, 1)
            named.account = account
        self.by_name[name] = named
        self._resident[named] = 0
        self._used[named] = None

    def _rewrite(self, named: NamedValue, datum: Datum) -> None:
        """Store the value in place of its calls. If it cannot be written, its calls stay: an error here would fail the calls of all other
        clients in this transaction."""
        try:
            value = datum.serialized()
        except Exception as error:
            self._report("data.not_written", level="error", name=named.name, error=brief(error, 200))
        else:
            datum.size_bytes = named.stored_bytes = len(value)
            named.weight, datum.effort = measure(value)
            self._store.data.replace(named.number, value, named.callers())
        named.calls_bytes = named.calls_effort = 0

    def _note(self, named: NamedValue, datum: Datum, call: DataCall) -> None:
        self._calls.append(call)
        named.calls_bytes += len(call.call) + CALL_BYTES
        outgrown = named.calls_bytes > max(CALLS_BYTES_MIN, 2 * named.stored_bytes)
        if outgrown or named.calls_effort > CALLS_EFFORT_MAX:
            self._outgrown[named] = None

    def _evict(self, named: NamedValue) -> None:
        named.datum = None
        named.last.clear()
        self._resident_bytes -= self._resident.pop(named)

    def _datum(self, named: NamedValue) -> Datum:
        """The value in memory, read if necessary. Raises DecodeError when it cannot be read; the stored value stays as it is."""
        if named.datum is None:
            self.worked_bytes += named.size_bytes
            self._read(named)
        self._resident[named] = self._resident.pop(named, 0)
        self._used[named] = None
        assert named.datum is not None  # noqa: S101 - just read
        return named.datum

    def _read(self, named: NamedValue) -> None:
        stored = self._store.data.read(named.number)
        try:
            kind = DATA[named.type]
            thing = deserialized(kind, stored.value)
            taken, hard = measure(stored.value)
            calls_effort = 0
            datum = Datum(
                type=kind, thing=thing, size_bytes=len(stored.value), bytes_max=sys.maxsize, again=True
            )
            named.last = {caller: (number, answer) for caller, number, answer in decode(stored.callers)}
            named.answers_bytes = sum(len(answer or b"") for _, answer in named.last.values())
            for caller, number, call in stored.calls:
                method, payload, slices = decode(call)
                named.remember(caller, number, _perform(datum, method, payload, slices, again=True))
                more, harder = measure(payload)
                taken, calls_effort = taken + more, calls_effort + CALL_EFFORT + harder
        except MemoryError as error:
            raise StoreError(OUT_OF_MEMORY) from error
        except Exception as error:  # any error concerns this value only, and must not fail the transaction
            named.last, named.answers_bytes = {}, 0
            raise DecodeError(
                f"{named.type} {named.name!r} cannot be read in this master: {message(error, 500)}"
            ) from error
        named.datum = _within_limits(kind, thing, datum.size_bytes, hard + calls_effort)
        named.calls_effort = calls_effort
        named.stored_bytes, named.weight = len(stored.value), taken
        named.calls_bytes = sum(len(call) + CALL_BYTES for _, _, call in stored.calls)


def _looked_at(datum: Datum, method: str) -> int:
    """The time that the call takes, as a number of bytes that take as long."""
    if method in datum.type.scanning:
        return datum.size_bytes
    return datum.size_bytes // LINEAR if method in datum.type.linear else 0


def _within_limits(kind: DataType, thing: Any, size_bytes: int, hard: int) -> Datum:
    datum = Datum(type=kind, thing=thing, size_bytes=size_bytes, bytes_max=BYTES_MAX)
    datum.effort, datum.effort_max = hard, EFFORT_MAX
    return datum


def _perform(
    datum: Datum,
    method: str,
    payload: bytes,
    slices: list[Any],
    *,
    effort: int = 0,
    again: bool = False,
) -> bytes:
    """The encoded answer to a call. TqError when it took no effect. ``again``: a replay, which was validated when it was first made."""
    kept = method in datum.type.growing and not again
    whole = takes_apart(method, slices)
    args, kwargs = arguments(payload, slices, kept=kept, must_stay=True, whole=whole, judged=again)
    try:
        result = datum.call(method, args, kwargs, len(payload), effort)
    except TqError:
        raise
    except Exception as error:
        return _failed(error)
    try:
        return encoded_answer(plain(result), judged=True)
    except Exception as error:  # such as a Namespace's __class__; the call has taken effect
        return _failed(error)


def _failed(error: Exception) -> bytes:
    return encode(["error", Failure.of(error).encode()])
