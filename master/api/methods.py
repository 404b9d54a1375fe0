"""The exposed methods of the master's own objects, looked at once: who may call each, and with which arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from ...common.contract.exposed import ALLOWED, exposed_methods
from ...common.contract.method import Audited
from ...common.contract.table import BUILT_IN
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.wire.protocol import Request
from ..engine.session import Deed
from .audited import in_words


class ExposedMethod:
    """``function`` is called with the object, the call and the arguments of its request. ``reads``: it changes nothing, as
    every method that viewers may call."""

    __slots__ = (
        "_name",
        "_positional_max",
        "_positional_min",
        "_signature",
        "allowed",
        "audited",
        "function",
        "reads",
    )

    def __init__(self, function: Callable[..., Any], role: Role, audited: Audited | None = None) -> None:
        self.audited = audited
        self.function, self.allowed, self.reads = function, ALLOWED[role], role == Role.VIEWER
        self._name, self._signature = function.__name__, inspect.signature(function)
        parameters = list(self._signature.parameters.values())[2:]
        plain = [one for one in parameters if one.kind is Parameter.POSITIONAL_OR_KEYWORD]
        self._positional_min = sum(one.default is Parameter.empty for one in parameters)
        self._positional_max = len(plain)

    def check(self, request: Request) -> None:
        """Raises InvalidArgument for arguments that do not fit the signature."""
        # Nearly every call is of this shape, and counting is a twentieth of the work of binding.
        if not request.kwargs and self._positional_min <= len(request.args) <= self._positional_max:
            return
        try:
            self._signature.bind(None, None, *request.args, **request.kwargs)
        except TypeError as error:
            raise InvalidArgument(f"{self._name}: {error}") from None

    def deed(self, audited: Audited, target: Any, request: Request) -> Deed:
        """What a call of it changes; ``check`` has let its arguments pass. ``target``: the object that it is called on."""
        named: Any = ""
        if audited.of in self._signature.parameters:
            named = self._signature.bind(None, None, *request.args, **request.kwargs).arguments[audited.of]
        elif audited.of:
            named = getattr(target, audited.of)
        return Deed(f"{request.target[0]}.{self._name}", audited, in_words(named))


def methods_of(kind: type, name: str = "") -> dict[str, ExposedMethod]:
    """Every exposed method of a class, by name. ``name``: of the object, whose contract says which of them are audited."""
    return _look_at(kind, name)


@functools.cache
def _look_at(kind: type, name: str) -> dict[str, ExposedMethod]:
    agreed = BUILT_IN[name].methods if name in BUILT_IN else {}
    return {
        one: ExposedMethod(getattr(kind, one), role, agreed[one].audited if one in agreed else None)
        for one, role in exposed_methods(kind).items()
    }
