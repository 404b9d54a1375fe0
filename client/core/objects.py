"""Proxies of the objects that a master exposes: ``app.object("get_counter", "visits").add(3)``.

An object is addressed by its name and arguments, so a proxy outlives reconnects and restarts of the master. Built-in
objects take and return plain envelope values; objects registered by users take any value of the codec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...common.contract.table import BUILT_IN

if TYPE_CHECKING:
    from .session import ClientSession


class RemoteObject:
    """One exposed object; its methods run in the master."""

    def __init__(self, session: ClientSession, name: str, args: tuple[Any, ...]) -> None:
        self._session, self._target = session, (name, *args)

    def __repr__(self) -> str:
        name, *args = self._target
        return f"<tq.RemoteObject {name}({', '.join(map(repr, args))})>"

    def __getattr__(self, method: str) -> Callable[..., Any]:
        # Without this, copy and pickle would make calls by asking for ``__reduce_ex__`` and the like.
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **kwargs: self._call(method, args, kwargs)

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._target[0] in BUILT_IN:
            if kwargs:
                raise TypeError(f"{method} of {self._target[0]} takes positional arguments only")
            return self._session.call(self._target, method, *args)
        from ...common.values.codec import decode, encode_call

        answer = self._session.call(self._target, method, encode_call(args, kwargs))
        return decode(answer) if isinstance(answer, bytes) else answer
