"""The types of data that every master has for managers: the exposed methods of each, and how it is represented as plain values.

A ``Datum`` is a value of one of these types, with a bound on its size. Its owner decides where it is kept: ``master/objects/shared.py``
in memory, for as long as the program that made it; ``named_values.py`` under a name, in the store.

All methods are deterministic: the same calls on the same value give the same value, in any process. Replaying stored calls
depends on it.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any, Final

from ...common.errors import DecodeError, InvalidArgument, TqError
from ...common.values.brief import brief
from ...common.values.codec import decode, decode_call, encode
from ...common.values.elements import measure
from ...common.values.unmade import Unmade
from ..api.payloads import with_slices
from .effort import check_effort
from .shared_dict import SharedDict

ALWAYS: Final = frozenset({"__repr__", "#GETVALUE"})
TAKING_APART: Final = frozenset({"__setitem__", "extend", "update"})
VIEWS: Final[tuple[type[Any], ...]] = (type({}.keys()), type({}.values()), type({}.items()))


class SharedList(list[Any]):
    """A list that a small request cannot make large: ``__imul__`` is not exposed, and the client's is built from ``repeated``."""

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


def _whole_array(parts: list[Any]) -> array.array[Any]:
    """Also from type code and elements, as masters before this one have stored it."""
    typecode, *elements = parts
    is_array = len(elements) == 1 and type(elements[0]) is array.array
    return make_array(typecode, elements[0] if is_array else elements)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _flat(pairs: dict[Any, Any]) -> list[Any]:
    return list(chain.from_iterable(pairs.items()))


def _paired(parts: list[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(parts[::2], parts[1::2], strict=True)


@dataclass(frozen=True, kw_only=True)
class DataType:
    """Sets of methods. ``changing``: may change the value; all others only read it. ``growing``: of these, may make it larger.
    ``linear``: move all elements; ``scanning``: look at all elements. ``sliced``: take a slice.
    ``parts``: the value as a list of plain values; ``whole``: its inverse."""

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
        parts=lambda thing: [thing.typecode, thing],
        whole=_whole_array,
    ),
}


@dataclass(eq=False, kw_only=True, slots=True)
class Datum:
    """A value of one of the types. ``size_bytes``: an upper bound of its size, counted by what was put in. ``again``: its calls are
    being replayed, and were validated when they were first made."""

    type: DataType
    thing: Any
    size_bytes: int
    bytes_max: int
    again: bool = False
    # Of reading and writing all of it, counted by what was put in: see common/values/elements.py
    effort: int = 0
    effort_max: int = sys.maxsize

    def __post_init__(self) -> None:
        if isinstance(self.thing, SharedList):
            self.thing.bytes_max = self.bytes_max
        elif isinstance(self.thing, SharedDict):
            self.thing.validates = not self.again

    def call(
        self, method: str, args: Sequence[Any], kwargs: dict[str, Any], payload_bytes: int, effort: int = 0
    ) -> Any:
        """Call an exposed method and return its result, or raise its exception. InvalidArgument, and nothing changed, when the call
        would make the value too large.
        """
        if method == "#GETVALUE":
            return plain(self.thing)
        if method not in self.type.exposed and method not in ALWAYS:
            raise not_exposed(method, self.thing)
        self._validate(method, args, payload_bytes, effort)
        called = getattr(type(self.thing), method)  # a Namespace may have an attribute of that name
        return called(self.thing, *args, **kwargs)

    def serialized(self) -> bytes:
        """The whole value as bytes: see ``deserialized``."""
        return encode(self.type.parts(self.thing), judged=True)

    def _validate(self, method: str, args: Sequence[Any], payload_bytes: int, effort: int) -> None:
        """Raises InvalidArgument and nothing else: it means that the call took no effect and is not stored. Any other exception
        would be stored as the call's answer, and the replay, which skips validation, would then take effect."""
        try:
            self._check_slices(method, args)
            self._check_pieces(method, args)
            if method in self.type.growing:
                self._reserve(payload_bytes, effort)
        except (TqError, MemoryError):
            raise
        except Exception as error:
            raise InvalidArgument(
                f"these arguments of {method} cannot be validated: {brief(error, 200)}"
            ) from error

    def _check_slices(self, method: str, args: Sequence[Any]) -> None:
        """A slice is only an index: as an element it could be neither sent to a client nor stored."""
        for at, arg in enumerate(args):
            if isinstance(arg, slice) and (at > 0 or method not in self.type.sliced):
                raise InvalidArgument(
                    f"argument {at} of {method} cannot be a slice; send a tuple: (start, stop, step)"
                )

    def _check_pieces(self, method: str, args: Sequence[Any]) -> None:
        """An argument that a method iterates over must have the same order in every process, and elements no larger than they arrived."""
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
        """Count what is put in, without subtracting what is removed; only when that exceeds the limit, measure the value."""
        if self.size_bytes + more_bytes > self.bytes_max or self.effort + effort > self.effort_max:
            there = self.serialized()
            self.size_bytes, self.effort = len(there), measure(there)[1]
            check_bytes(self.size_bytes + more_bytes, self.bytes_max)
            check_effort(self.effort + effort, self.effort_max)
        self.size_bytes, self.effort = self.size_bytes + more_bytes, self.effort + effort


def deserialized(type: DataType, serialized: bytes) -> Any:
    """The inverse of ``serialized``. Raises DecodeError for bytes that cannot be read in this process."""
    parts = decode(serialized, as_is=True, unmade=True, judged=True)
    if not isinstance(parts, list):
        raise DecodeError("these bytes are not a stored value")
    try:
        return type.whole(parts)
    except (ValueError, TypeError, LookupError) as error:  # such as a type code of another Python
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
    """The decoded arguments of a call of a ``Datum``. ``slices``: the indices of arguments that are a slice, sent as
    ``[start, stop, step]``, because a slice cannot be encoded.

    ``kept``: they become part of the value. Raises NotSerializable for what could not be sent to a client in a list of pairs, such as
    a value of the greatest allowed depth. ``must_stay``: also for references to objects that end with a program.
    ``whole``: the method iterates over them, so they are decoded to Python objects. ``judged``: they were validated before.
    """
    args, kwargs = decode_call(payload, as_is=True, unmade=True, judged=judged)
    if kept:
        encode([[args, kwargs]], root="arguments", must_stay=must_stay, judged=True)
    if whole:
        args = [arg.made() if isinstance(arg, Unmade) else arg for arg in args]
    return with_slices(args, slices), kwargs


def takes_apart(method: str, slices: Sequence[Any]) -> bool:
    """Whether the method iterates over its argument; otherwise the argument is stored or searched for as it is."""
    return method == "extend" or (method == "__setitem__" and bool(slices))


def encoded_answer(result: Any, *, judged: bool) -> bytes:
    """The encoded answer of a call with this result, a plain value. Raises NotSerializable with the path below the result.
    ``judged``: the result is of a ``Datum``, whose contents were validated."""
    return b"\x92\xa5value" + encode(
        result, root="result", judged=judged
    )  # an array of two: as encode(["value", …])


def plain(value: Any) -> Any:
    """A result as plain values: types that the codec refuses and the standard library's proxies return as data are converted, and
    mutable values are copied, so that they cannot change while they are encoded."""
    if isinstance(value, SimpleNamespace):
        return dict(vars(value))
    if isinstance(value, Value):
        return value.get()
    if isinstance(value, SharedDict) or type(value) is dict:
        return value.copy()
    if isinstance(value, array.array):
        return value[:]
    is_list = isinstance(value, (*VIEWS, SharedList))
    return list(value) if is_list else value


def not_exposed(method: str, thing: Any) -> AttributeError:
    kind = type(thing).__name__
    kind = {"SharedDict": "dict", "SharedList": "list"}.get(kind, kind)
    return AttributeError(f"method {brief(method, 80)} of {kind!r} object is not exposed")


def check_bytes(size_bytes: int, bytes_max: int) -> None:
    if size_bytes > bytes_max:
        raise InvalidArgument(
            f"this object would have {size_bytes:,} bytes, and {bytes_max:,} is the limit; split it into several"
        )
