"""The named values that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``named_values.py`` the
behaviour.

``get_datum(type, name)`` is one named value; ``get_data()`` is what operators see of all.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.model import Role, check_name
from ...common.errors import InvalidArgument, UnknownObject
from ...common.values.brief import brief
from ...common.values.codec import encode
from ..api.validation import (
    NUMBER_MAX,
    EngineObject,
    allow_queue,
    validate_list,
    validate_text,
    validate_token,
    validate_whole,
)
from ..engine.engine import Engine
from ..engine.session import Call
from .named_values import NamedValue, NamedValues

SHOWN_MAX: Final = 5_000


class NamedValueObject(EngineObject):
    """``get_datum(type, name)``: a dict, list, Namespace, Value or Array that outlives the program that made it."""

    def __init__(self, engine: Engine, type: str, name: str) -> None:
        super().__init__(engine)
        self.type, self.name = validate_text("type", type), check_name("data", name)

    @exposed(Role.CLIENT)
    def make(self, call: Call, payload: bytes) -> bytes:
        """Create it from these arguments unless it exists. The answer, encoded: ``["object", type, name, exposed methods]``, or
        ``["error", failure]``."""
        allow_queue(call, self.name)
        self.engine.core.room.check()
        return self.engine.part(NamedValues).make(
            self.type, self.name, _judge_bytes("arguments", payload), call.session.account
        )

    @exposed(Role.CLIENT)
    def call(
        self,
        call: Call,
        caller: bytes,
        number: int,
        method: str,
        payload: bytes,
        slices: list[int],
    ) -> bytes:
        """Call a method, once for each number of a caller. The answer, encoded: ``["value", …]`` or ``["error", failure]``."""
        allow_queue(call, self.name)
        return self.engine.part(NamedValues).call(
            self.type,
            self.name,
            validate_token("caller", caller),
            validate_whole("number", number, 1, NUMBER_MAX),
            validate_text("method", method),
            _judge_bytes("arguments", payload),
            validate_list("slices", slices),
        )


class NamedValuesObject(EngineObject):
    """``get_data()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> dict[str, Any]:
        """``rows``, by name, and ``left_out``: how many more there are."""
        allows, by_name = call.session.allows_queue, self.engine.part(NamedValues).by_name
        self.engine.work.glanced(len(by_name))
        named = [one for one in by_name.values() if allows(one.name)]
        rows = [
            {"name": one.name, "type": one.type, "size_bytes": one.size_bytes}
            # Without sorting all of them: there may be ten thousand.
            for one in nsmallest(SHOWN_MAX, named, key=lambda one: one.name)
        ]
        return {"rows": rows, "left_out": len(named) - len(rows)}

    @exposed(Role.VIEWER)
    def show(self, call: Call, name: str) -> dict[str, Any]:
        """``type``, and ``parts``, encoded: of a dict or Namespace, alternating keys and values; of a Value, the type code and the value; of an
        Array, the type code and the array; of a list, the elements."""
        named = self._named(call, name)
        return {"type": named.type, "parts": encode(self.engine.part(NamedValues).parts(named), judged=True)}

    @exposed(Role.ADMIN)
    def delete(self, call: Call, name: str) -> str:
        """Delete it; returns its type. Programs that still use it get UnknownObject."""
        named = self._named(call, name)
        self.engine.part(NamedValues).drop(named)
        return named.type

    def _named(self, call: Call, name: str) -> NamedValue:
        allow_queue(call, validate_text("name", name))
        named = self.engine.part(NamedValues).by_name.get(name)
        if named is None:
            raise UnknownObject(
                f"there is no dict, list or other value {brief(name, 80)}; `tq data` lists them"
            )
        return named


def _judge_bytes(name: str, value: object) -> bytes:
    if type(value) is not bytes:
        raise InvalidArgument(f"{name} are bytes, not {brief(value)}")
    return value
