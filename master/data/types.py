"""The types of data that every master has for managers: what can be called of each, and what it is as plain values.

A ``Datum`` is one of them, with a bound on its size. Who holds it decides where it lives: ``master/objects/shared.py`` in memory,
for as long as the program that made it; ``named_values.py`` under a name, in the store.

What is called here is deterministic: the same calls on the same value come to the same value, in any process.
"""

from __future__ import annotations

import array
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any, Final

from ...common.errors import DecodeError, InvalidArgument, TqError
from ...common.values.brief import brief
from ...common.values.codec import WORK_MAX, decode, decode_call, encode, shape_of_call
from ...common.values.elements import measure, weight
from ...common.values.unmade import Unmade
from .effort import check_effort
from .shared_dict import SharedDict

VALUE_BYTES_MAX: Final = 128 * 1024 * 1024  # of memory, for the arguments of one call
HEAVIEST: Final = 80  # bytes of memory for one of a value, at most
ALWAYS: Final = frozenset({"__repr__", "#GETVALUE"})
TAKING_APART: Final = frozenset({"__setitem__", "extend", "update"})
SHAPED_BYTES_MIN: Final = 64 * 1024  # of arguments whose number and names are judged before they are read
VIEWS: Final[tuple[type[Any], ...]] = (type({}.keys()), type({}.values()), type({}.items()))


class SharedList(list[Any]):
    """A list that a small request cannot make large; the other half of that is the client's ``__imul__``."""

    bytes_max: int

    def repeated(self, times: int) -> list[Any]:
        check_bytes(len(encode(list(self))) * max(0, times), self.bytes_max)
        return list(self) * times


class Namespace(SimpleNamespace):
    def __repr__(self) -> str:
        public = sorted((name, value) for name, value in vars(self).items() if not name.startswith("_"))
        return f"Namespace({', '.join(f'{name}={value!r}' for name, value in public)})"


class Value:
    def __init__(self, typecode: str, value: Any, lock: bool = True) -> None:
        self.typecode, self._value = typecode, value

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"Value({self.typecode!r}, {self._value!r})"


def make_array(typecode: str, sequence: Sequence[Any], lock: bool = True) -> array.array[Any]:
    return array.array(typecode, sequence)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _flat(pairs: dict[Any, Any]) -> list[Any]:
    return list(chain.from_iterable(pairs.items()))


def _paired(parts: list[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(parts[::2], parts[1::2], strict=True)


@dataclass(frozen=True, kw_only=True)
class DataType:
    """``changing``: what may change the value, all else only reads it. ``growing``: what may make it larger, of those.
    ``linear``: what moves all of it, the longer the larger it is; ``scanning``: what looks at all of it. ``sliced``: what
    takes a slice. ``parts``: the value as a list of plain values, for ``whole``."""

    make: Callable[..., Any]
    reading: tuple[str, ...]
    changing: tuple[str, ...]
    growing: tuple[str, ...]
    linear: tuple[str, ...] = ()
    scanning: tuple[str, ...] = ()
    sliced: tuple[str, ...] = ()
    parts: Callable[[Any], list[Any]]
    whole: Callable[[list[Any]], Any]

    @property
    def exposed(self) -> tuple[str, ...]:
        return self.reading + self.changing


DATA: Final = {
    "dict": DataType(
        make=SharedDict,
        reading=_words("__contains__ __getitem__ __iter__ __len__ copy get items keys values"),
        changing=_words("__delitem__ __setitem__ clear pop popitem setdefault update"),
        growing=_words("__setitem__ setdefault update"),
        parts=_flat,
        whole=lambda parts: SharedDict.stored(_paired(parts)),
    ),
    "list": DataType(
        make=SharedList,
        reading=_words("__contains__ __getitem__ __len__ copy count index repeated"),
        changing=_words("__delitem__ __setitem__ append clear extend insert pop remove reverse sort"),
        growing=_words("__setitem__ append extend insert"),
        linear=_words("__delitem__ __setitem__ insert pop remove reverse sort"),
        scanning=_words("__contains__ count index remove repeated sort"),
        sliced=_words("__delitem__ __getitem__ __setitem__"),
        parts=list,
        whole=SharedList,
    ),
    "Namespace": DataType(
        make=Namespace,
        reading=_words("__getattribute__"),
        changing=_words("__setattr__ __delattr__"),
        growing=_words("__setattr__"),
        parts=lambda thing: _flat(vars(thing)),
        whole=lambda parts: Namespace(**dict(_paired(parts))),
    ),
    "Value": DataType(
        make=Value,
        reading=_words("get"),
        changing=_words("set"),
        growing=_words("set"),
        parts=lambda thing: [thing.typecode, thing.get()],
        whole=lambda parts: Value(*parts),
    ),
    "Array": DataType(
        make=make_array,
        reading=_words("__len__ __getitem__"),
        changing=_words("__setitem__"),
        growing=_words("__setitem__"),
        sliced=_words("__getitem__ __setitem__"),
        parts=lambda thing: [thing.typecode, *thing],
        whole=lambda parts: make_array(parts[0], parts[1:]),
    ),
}


@dataclass(eq=False, kw_only=True, slots=True)
class Datum:
    """One of them. ``size_bytes``: how large it is at most, as far as was counted. ``again``: what is called was called
    before, and judged then."""

    type: DataType
    thing: Any
    size_bytes: int
    bytes_max: int
    again: bool = False
    effort: int = 0  # of reading and writing all of it, as far as was counted: see common/values/elements.py
    effort_max: int = sys.maxsize

    def __post_init__(self) -> None:
        if isinstance(self.thing, SharedList):
            self.thing.bytes_max = self.bytes_max
        elif isinstance(self.thing, SharedDict):
            self.thing.validates = not self.again

    def call(
        self, method: str, args: Sequence[Any], kwargs: dict[str, Any], payload_bytes: int, effort: int = 0
    ) -> Any:
        """What an exposed method gives, or raises; as plain values, but for what ``method_to_typeid`` names.
        InvalidArgument, and nothing changed, when it would make this too large.
        """
        if method == "#GETVALUE":
            return plain(self.thing)
        if method not in self.type.exposed and method not in ALWAYS:
            raise not_exposed(method, self.thing)
        self._validate(method, args, payload_bytes, effort)
        called = getattr(type(self.thing), method)  # a Namespace may have an attribute of that name
        return called(self.thing, *args, **kwargs)

    def serialized(self) -> bytes:
        """All of it, for ``deserialized``."""
        return encode(self.type.parts(self.thing), judged=True)

    def _validate(self, method: str, args: Sequence[Any], payload_bytes: int, effort: int) -> None:
        """Raises InvalidArgument and nothing else: a call that fails while it is judged was not done. Made again, it would not
        be judged, and take effect."""
        try:
            self._check_slices(method, args)
            self._check_pieces(method, args)
            if method in self.type.growing:
                self._reserve(payload_bytes, effort)
        except (TqError, MemoryError):
            raise
        except Exception as error:
            raise InvalidArgument(
                f"these arguments of {method} cannot be judged: {brief(error, 200)}"
            ) from error

    def _check_slices(self, method: str, args: Sequence[Any]) -> None:
        """A slice is a place. Kept as a value, it could be given out to nobody, nor stored."""
        for at, arg in enumerate(args):
            if isinstance(arg, slice) and (at > 0 or method not in self.type.sliced):
                raise InvalidArgument(
                    f"argument {at} of {method} cannot be a slice; send a tuple: (start, stop, step)"
                )

    def _check_pieces(self, method: str, args: Sequence[Any]) -> None:
        """What is taken apart has an order, the same in every process, and pieces that are no larger than they came."""
        if method not in TAKING_APART or (
            method == "__setitem__" and not (args and isinstance(args[0], slice))
        ):
            return
        for arg in args:
            pairs = arg if method == "update" and isinstance(arg, list | tuple) else ()
            for one in (arg, *pairs):
                kind = one.kind if isinstance(one, Unmade) else type(one)
                if kind in (set, frozenset) or kind.__module__ == "numpy":
                    raise InvalidArgument(f"{method} takes no {kind.__name__}; send list(value)")

    def _reserve(self, more_bytes: int, effort: int) -> None:
        """Counted is what was ever put in; only when that is too much, what is there."""
        if self.size_bytes + more_bytes > self.bytes_max or self.effort + effort > self.effort_max:
            there = self.serialized()
            self.size_bytes, self.effort = len(there), measure(there)[1]
            check_bytes(self.size_bytes + more_bytes, self.bytes_max)
            check_effort(self.effort + effort, self.effort_max)
        self.size_bytes, self.effort = self.size_bytes + more_bytes, self.effort + effort


def deserialized(type: DataType, serialized: bytes) -> Any:
    """Raises DecodeError for what cannot be read in this process."""
    parts = decode(serialized, as_is=True, unmade=True, judged=True)
    if not isinstance(parts, list):
        raise DecodeError("these bytes are not a stored value")
    try:
        return type.whole(parts)
    except (ValueError, TypeError, LookupError) as error:  # a type code of another Python, say
        raise DecodeError(f"these bytes are not a stored value: {brief(error, 200)}") from error


def arguments(
    payload: bytes,
    slices: list[Any],
    *,
    kept: bool,
    must_stay: bool = False,
    whole: bool = False,
    judged: bool = False,
) -> tuple[list[Any], dict[str, Any]]:
    """Of a call of one of ours. ``slices``: the places of those that are ``[start, stop, step]``, for a slice does not travel.

    ``kept``: they are going to stay. NotSerializable for what could not be given out again in a list of pairs: what a
    peer that is not tq may send, and what is as deep as a value may be. ``must_stay``: nor for what goes with a program.
    ``whole``: each is taken apart by what expects to find it made. ``judged``: they were, when the call came.
    """
    args, kwargs = decode_call(payload, as_is=True, unmade=True, judged=judged)
    if kept:
        encode([[args, kwargs]], root="arguments", must_stay=must_stay, judged=True)
    if whole:
        args = [arg.made() if isinstance(arg, Unmade) else arg for arg in args]
    return _with_slices(args, slices), kwargs


def takes_apart(method: str, slices: Sequence[Any]) -> bool:
    """Whether an argument of it is taken apart; else it is kept as it is, or looked for."""
    return method == "extend" or (method == "__setitem__" and bool(slices))


def foreign_arguments(
    function: Callable[..., Any], payload: bytes, slices: Sequence[Any] = ()
) -> tuple[list[Any], dict[str, Any]]:
    """Of a call of a user's own, which gets sets and dicts as they are, made here while everybody waits. Of large ones it is
    known that they fit before they are read: InvalidArgument."""
    if len(payload) > SHAPED_BYTES_MIN:
        _check_fits(function, *shape_of_call(payload))
    args, kwargs = decode_call(payload, as_is=True, work_max=WORK_MAX)
    return _with_slices(args, slices), kwargs


def _check_fits(function: Callable[..., Any], count: int, names: list[str]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of C, and says nothing of itself: it will judge for itself
        return
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        raise InvalidArgument(f"{getattr(function, '__name__', function)}: {error}") from None


def _with_slices(args: list[Any], slices: Sequence[Any]) -> list[Any]:
    for at in slices:
        if type(at) is not int or not 0 <= at < len(args) or not _is_slice(args[at]):
            raise InvalidArgument(f"argument {brief(at)} is no slice: [start, stop, step]")
        args[at] = slice(*args[at])
    return args


def _is_slice(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3


def encoded_answer(result: Any, *, judged: bool) -> bytes:
    """The encoded answer of a call that gave this plain value. NotSerializable with the path below the result.
    ``judged``: it is one of ours that gave it."""
    return b"\x92\xa5value" + encode(
        result, root="result", judged=judged
    )  # an array of two: as encode(["value", …])


def plain(value: Any) -> Any:
    """What of a result the codec would refuse for its type, and the standard library's proxies give as data; nothing of
    it changes while it is encoded."""
    if isinstance(value, SimpleNamespace):
        return dict(vars(value))
    if isinstance(value, Value):
        return value.get()
    if isinstance(value, SharedDict) or type(value) is dict:
        return value.copy()
    is_list = isinstance(value, (*VIEWS, SharedList, array.array))
    return list(value) if is_list else value


def not_exposed(method: str, thing: Any) -> AttributeError:
    kind = type(thing).__name__
    kind = {"SharedDict": "dict", "SharedList": "list"}.get(kind, kind)
    return AttributeError(f"method {brief(method, 80)} of {kind!r} object is not exposed")


def check_bytes(size_bytes: int, bytes_max: int) -> None:
    if size_bytes > bytes_max:
        raise InvalidArgument(
            f"this object would have {size_bytes:,} bytes, and {bytes_max:,} is the limit; keep it in several"
        )


def check_weight(payload: bytes) -> None:
    """InvalidArgument for a value that would take very much memory for its size: it is not decoded."""
    if len(payload) * HEAVIEST > VALUE_BYTES_MAX and (taken := weight(payload)) > VALUE_BYTES_MAX:
        raise InvalidArgument(
            f"these arguments have {len(payload):,} bytes and would take {taken:,} of memory, for they are very many "
            f"small lists, dicts or texts; at most {VALUE_BYTES_MAX:,}: send them in several calls"
        )
