"""Plain data out of a pickle, without an unpickler: nothing is imported, built or called because bytes say so.

A closed list of opcodes: what stock clients send for plain data in protocols 2 to 5. The one name that is understood is
``multiprocessing.managers.Token``, which becomes a record of ours. Everything else is refused.

What it costs is bounded by the frame: every opcode makes at most one node, containers are counted, lengths are compared
with what is there before anything is taken, a memo gives back only what cannot be changed (so there are no cycles, and nothing
shared that could tell), what it gives back counts towards a limit, and members whose hashes were made alike are refused.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...common.errors import DecodeError
from ...common.values.hashing import ALIKE_MAX

DEPTH_MAX: Final = 32
# Each costs some 2 µs to read and 3 to store; a flat list of a frame's size has one
CONTAINERS_MAX: Final = 50_000
KEYED_MAX: Final = 10_000  # members of one set, keys of one dict
REPEATED_BYTES_MAX: Final = 4 * 1024 * 1024  # that a memo gives back
INT_BYTES_MAX: Final = 4096
PROTOCOLS: Final = range(2, 6)
ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
NODE_BYTES: Final = 8  # of anything that is given back, at least
TOKEN_NAME: Final = ("multiprocessing.managers", "Token")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What a stock client knows of an object of the server."""

    typeid: Any
    address: Any
    id: Any


class _TokenClass:
    """Stands for the class on the stack, and for an object of it that has no state yet."""

    def __repr__(self) -> str:  # in error messages, which must not show an address in memory
        return ".".join(TOKEN_NAME)


_CLASS, _BLANK = _TokenClass(), _TokenClass()


def loads(data: bytes) -> Any:
    """The value in ``data``; raises DecodeError, and nothing else, for anything that is not plain data."""
    return _Decoder(data).run()


class _Stack:
    """The values of an unfinished pickle, each with its depth, and the marks between them. What a mark protects is out of
    reach until it is popped."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._depths: list[int] = []  # of each value
        self._marks: list[int] = []

    @property
    def is_finished(self) -> bool:
        """Whether one value is left, and no mark."""
        return len(self._values) == 1 and not self._marks

    @property
    def last(self) -> Any:
        """The value on top."""
        return self.top(type(self._values[-1]) if self._values else object)

    def push(self, value: Any, depth: int = 0) -> None:
        if depth > DEPTH_MAX:
            raise DecodeError(f"values nested deeper than {DEPTH_MAX}")
        self._values.append(value)
        self._depths.append(depth)

    def pop(self, count: int) -> tuple[list[Any], int]:
        """The last values and how deep the deepest is."""
        floor = self._marks[-1] if self._marks else 0
        if len(self._values) - count < floor:
            raise DecodeError("a pickle that takes more than it has")
        if not count:
            return [], -1
        values, depths = self._values[-count:], self._depths[-count:]
        del self._values[-count:], self._depths[-count:]
        return values, max(depths)

    def mark(self) -> None:
        self._marks.append(len(self._values))

    def pop_mark(self) -> tuple[list[Any], int]:
        if not self._marks:
            raise DecodeError("a pickle without a mark where one is needed")
        popped = self.pop(len(self._values) - self._marks[-1])
        self._marks.pop()
        return popped

    def top(self, kind: type) -> Any:
        floor = self._marks[-1] if self._marks else 0
        if len(self._values) <= floor or type(self._values[-1]) is not kind:
            raise DecodeError(f"a pickle that fills something that is not a {kind.__name__}")
        return self._values[-1]

    def deepen(self, depth: int) -> None:
        """The container on top has got something in it that is so deep."""
        self._depths[-1] = max(self._depths[-1], depth + 1)
        if self._depths[-1] > DEPTH_MAX:
            raise DecodeError(f"values nested deeper than {DEPTH_MAX}")


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.stack = _Stack()
        self._memo: dict[int, Any] = {}
        self._repeated = self._containers = 0
        self._alike: Counter[tuple[int, int]] = Counter()  # by container and hash

    def run(self) -> Any:
        if self._take(1) != b"\x80" or self._take(1)[0] not in PROTOCOLS:
            raise DecodeError("not a pickle of protocol 2 to 5")
        while True:
            code = self._take(1)[0]
            if code == 0x2E:  # STOP
                break
            step = _STEPS.get(code)
            if step is None:
                raise DecodeError(
                    f"the pickle opcode 0x{code:02x} is not for plain data; send numbers, text, bytes, "
                    "lists, tuples, dicts and sets"
                )
            step(self)
        if not self.stack.is_finished or self._at != len(self._data):
            raise DecodeError("a pickle that does not end where it says")
        return self.stack.last

    # bytes

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise DecodeError("a pickle that is cut off")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def counted(self, form: str) -> bytes:
        return self._take(self.number(form))

    def contain(self, value: Any, depth: int = 0) -> None:
        """Push a container, or an object."""
        self.count_container()
        self.stack.push(value, depth)

    def count_container(self) -> None:
        self._containers += 1
        if self._containers > CONTAINERS_MAX:
            raise DecodeError(
                f"more than {CONTAINERS_MAX:,} lists, tuples, dicts and sets; send less at once"
            )

    # containers

    def tuple_of(self, popped: tuple[list[Any], int]) -> None:
        values, depth = popped
        self.contain(tuple(values), depth + 1)

    def extend(self, popped: tuple[list[Any], int]) -> None:
        self.stack.top(list).extend(popped[0])
        self.stack.deepen(popped[1])

    def update(self, popped: tuple[list[Any], int]) -> None:
        values, depth = popped
        if len(values) % 2:
            raise DecodeError("a dict with a key and no value")
        into = self.stack.top(dict)
        keys = self.judged(values[::2], id(into), len(into))
        into.update(zip(keys, values[1::2], strict=True))
        self.stack.deepen(depth)

    def add(self, popped: tuple[list[Any], int]) -> None:
        into = self.stack.top(set)
        into.update(self.judged(popped[0], id(into), len(into)))
        self.stack.deepen(popped[1])

    def frozen(self, popped: tuple[list[Any], int]) -> None:
        self.contain(frozenset(self.judged(popped[0], -self._containers, 0)), popped[1] + 1)

    def judged(self, keys: list[Any], container: int, present: int) -> list[Any]:
        """Keys or members, before they are looked up by their hashes. ``container``: a number that no other one has."""
        if present + len(keys) > KEYED_MAX:
            raise DecodeError(f"more than {KEYED_MAX:,} keys or members in one dict or set")
        for key in keys:
            if type(key) in ATOMS:
                if type(key) is int and not -(2**64) < key < 2**64:  # beyond, all can be given one hash
                    raise DecodeError("a number beyond 64 bits as a key or member; use text")
                continue
            try:
                place = container, hash(key)
            except TypeError:
                raise DecodeError(f"a {type(key).__name__} as a key or member") from None
            self._alike[place] += 1
            if self._alike[place] > ALIKE_MAX:
                raise DecodeError("keys or members that were made to have one hash")
        return keys

    # the memo

    def put(self, place: int) -> None:
        self._memo[place] = self.stack.last

    def memoize(self) -> None:
        self.put(len(self._memo))

    def get(self, place: int) -> None:
        if place not in self._memo:
            raise DecodeError("a pickle that repeats what was not there")
        value = self._memo[place]
        self.stack.push(value, 0 if value is _CLASS else self.repeated(value))

    def repeated(self, value: Any) -> int:
        """How deep it is. An immutable value may occur in an item twice, as a constant of a program does, and counts
        each time as if it were written there."""
        if type(value) in (tuple, frozenset):
            self.count_container()
            return 1 + max(map(self.repeated, value), default=-1)
        if type(value) not in ATOMS:
            raise DecodeError(
                f"the same {type(value).__name__} occurs twice; send a copy, or a value that is flat"
            )
        self._repeated += NODE_BYTES + (len(value) if isinstance(value, (str, bytes)) else 0)
        if isinstance(value, int):
            self._repeated += value.bit_length() // 8
        if self._repeated > REPEATED_BYTES_MAX:
            raise DecodeError(f"more than {REPEATED_BYTES_MAX:,} bytes by repetition")
        return 0

    # the one name

    def name(self) -> None:
        (module, name), _ = self.stack.pop(2)
        if type(module) is not str or type(name) is not str:
            raise DecodeError("a name that is not text")
        if (module, name) != TOKEN_NAME:
            raise DecodeError(
                f"it names {module:.60}.{name:.60}, and nothing is imported here; send plain data: numbers, "
                "text, bytes, lists, tuples, dicts and sets"
            )
        self.stack.push(_CLASS)

    def new(self) -> None:
        (kind, args), _ = self.stack.pop(2)
        if kind is not _CLASS or type(args) is not tuple or args:
            raise DecodeError("an object that is not plain data")
        self.contain(_BLANK)

    def build(self) -> None:
        (thing, state), depth = self.stack.pop(2)
        if thing is not _BLANK or type(state) is not tuple or len(state) != 3:
            raise DecodeError("an object that is not plain data")
        self.stack.push(TokenRecord(*state), depth)

    def frame(self) -> None:
        if self.number("<Q") > len(self._data) - self._at:
            raise DecodeError("a pickle that is cut off")

    def text(self, raw: bytes) -> None:
        try:
            self.stack.push(raw.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise DecodeError("text that is not UTF-8") from None

    def long(self, size: int) -> None:
        if size > INT_BYTES_MAX:
            raise DecodeError(f"a number of more than {INT_BYTES_MAX} bytes")
        self.stack.push(int.from_bytes(self._take(size), "little", signed=True))


_STEPS: Final[dict[int, Callable[[_Decoder], None]]] = {
    ord("N"): lambda d: d.stack.push(None),
    0x88: lambda d: d.stack.push(True),
    0x89: lambda d: d.stack.push(False),
    ord("J"): lambda d: d.stack.push(d.number("<i")),
    ord("K"): lambda d: d.stack.push(d.number("<B")),
    ord("M"): lambda d: d.stack.push(d.number("<H")),
    0x8A: lambda d: d.long(d.number("<B")),
    0x8B: lambda d: d.long(d.number("<I")),
    ord("G"): lambda d: d.stack.push(d.number(">d")),
    ord("X"): lambda d: d.text(d.counted("<I")),
    0x8C: lambda d: d.text(d.counted("<B")),
    0x8D: lambda d: d.text(d.counted("<Q")),
    ord("C"): lambda d: d.stack.push(d.counted("<B")),
    ord("B"): lambda d: d.stack.push(d.counted("<I")),
    0x8E: lambda d: d.stack.push(d.counted("<Q")),
    ord("("): lambda d: d.stack.mark(),
    ord(")"): lambda d: d.contain(()),
    0x85: lambda d: d.tuple_of(d.stack.pop(1)),
    0x86: lambda d: d.tuple_of(d.stack.pop(2)),
    0x87: lambda d: d.tuple_of(d.stack.pop(3)),
    ord("t"): lambda d: d.tuple_of(d.stack.pop_mark()),
    ord("]"): lambda d: d.contain([]),
    ord("a"): lambda d: d.extend(d.stack.pop(1)),
    ord("e"): lambda d: d.extend(d.stack.pop_mark()),
    ord("}"): lambda d: d.contain({}),
    ord("s"): lambda d: d.update(d.stack.pop(2)),
    ord("u"): lambda d: d.update(d.stack.pop_mark()),
    0x8F: lambda d: d.contain(set()),
    0x90: lambda d: d.add(d.stack.pop_mark()),
    0x91: lambda d: d.frozen(d.stack.pop_mark()),
    0x94: _Decoder.memoize,
    ord("q"): lambda d: d.put(d.number("<B")),
    ord("r"): lambda d: d.put(d.number("<I")),
    ord("h"): lambda d: d.get(d.number("<B")),
    ord("j"): lambda d: d.get(d.number("<I")),
    0x93: _Decoder.name,
    0x81: _Decoder.new,
    ord("b"): _Decoder.build,
    0x95: _Decoder.frame,
}
