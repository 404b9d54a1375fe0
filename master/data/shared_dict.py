"""A dict that many programs fill, with a bound on keys whose hashes a client can choose: see ``common/values/hashing.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.values.hashing import ALIKE_MAX, CHOSEN_MAX
from ...common.values.unmade import Unmade

SECRET: Final = (str, bytes)  # Python salts their hashes, so that no client can choose them
_ABSENT: Final = object()


class SharedDict(dict[Any, Any]):
    """A dict that bounds the number of keys with a predictable hash, and of keys with one hash (``common/values/hashing.py``), over all
    calls. Keys are validated when they are set; a stored dict is loaded without validation."""

    __slots__ = ("_alike", "_chosen", "validates")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self._alike: dict[int, int] = {}  # by hash: how many keys have it, of keys whose hash can be chosen
        self._chosen = 0
        self.validates = True
        self.update(*args, **kwargs)

    @classmethod
    def stored(cls, pairs: Iterable[tuple[Any, Any]]) -> SharedDict:
        made = cls()
        for key, value in pairs:
            dict.__setitem__(made, key, value)
            made._count(key, 1)
        return made

    def __setitem__(self, key: Any, value: Any) -> None:
        if key not in self:
            self._admit(key)
        super().__setitem__(key, value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self._admit(key)
        return super().setdefault(key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As in the standard library, key by key: keys before an element that is not a pair are set. But InvalidArgument means
        that nothing has changed, as for every call."""
        if len(args) > 1:
            raise TypeError(f"update expected at most 1 argument, got {len(args)}")
        before: list[tuple[Any, Any]] = []
        try:
            for arg in (*args, kwargs):
                for key, value in _pairs_of(arg):
                    old = self.get(key, _ABSENT)
                    if old is _ABSENT:
                        self._admit(key)
                    before.append((key, old))
                    super().__setitem__(key, value)
        except InvalidArgument:
            for key, old in reversed(before):
                if old is _ABSENT:
                    del self[key]
                else:
                    super().__setitem__(key, old)
            raise

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._count(key, -1)

    def pop(self, key: Any, *default: Any) -> Any:
        held = key in self
        value = super().pop(key, *default)
        if held:
            self._count(key, -1)
        return value

    def popitem(self) -> tuple[Any, Any]:
        item = super().popitem()
        self._count(item[0], -1)
        return item

    def clear(self) -> None:
        super().clear()
        self._alike.clear()
        self._chosen = 0

    def _admit(self, key: Any) -> None:
        """Count a new key. InvalidArgument when it exceeds a limit."""
        if self.validates and not isinstance(key, SECRET):
            if self._chosen >= CHOSEN_MAX:
                raise InvalidArgument(
                    f"this dict has {CHOSEN_MAX:,} keys that are neither text nor bytes, and that is the limit; use text"
                )
            if self._alike.get(hash(key), 0) >= ALIKE_MAX:
                raise InvalidArgument(
                    f"this dict has {ALIKE_MAX} keys of the same hash as {brief(key)}, and that is the limit; use text"
                )
        self._count(key, 1)

    def _count(self, key: Any, more: int) -> None:
        if isinstance(key, SECRET):
            return
        self._chosen += more
        if not _is_number(key):
            left = self._alike.pop(hash(key), 0) + more
            if left:
                self._alike[hash(key)] = left


def _is_number(key: Any) -> bool:
    """Whether a key is a number that travels in 64 bits: only few of these can have the same hash."""
    return isinstance(key, float) or (isinstance(key, int) and key.bit_length() <= 64)


def _pairs_of(arg: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(arg, Unmade):
        return arg.members
    return arg.items() if isinstance(arg, dict) else map(_pair, arg)


def _pair(one: Any) -> tuple[Any, Any]:
    if isinstance(one, list | tuple) and len(one) == 2:
        return one[0], one[1]
    return dict(
        [one]
    ).popitem()  # a text of two characters is a pair; otherwise the standard library's own exception
