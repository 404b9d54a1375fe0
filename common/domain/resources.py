"""What tasks ask for instead of being sent it: a connection, a model. ``@app.resource`` names how it is made.

A resource is made once per child of a worker, at its first use, and closed at the end of the child. A function asks for it by the
default of a parameter; resources ask for other resources in the same way. Since a default is computed where the function
stands, a resource can only ask for one that is already there: they form no circle.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from ..errors import InvalidArgument
from ..values.brief import brief

T = TypeVar("T")


class SharedResource(Generic[T]):
    """A resource that all tasks of a child share; ``@app.resource`` makes it. ``asks``: parameters and what they are given."""

    __slots__ = ("__weakref__", "asks", "function", "is_coroutine", "name")
    _tq_remedy = "it is of a parameter: conn = tq.resource(…)"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name, self.is_coroutine = _checked(function)
        self.function = function
        self.asks = asked_by(function, self.name)
        _check_parameters(function, self)
        check_asked(self.asks, self.name, is_coroutine=self.is_coroutine)

    def __repr__(self) -> str:
        return f"<tq resource {self.name}>"


class Asked:
    """The default of a parameter that is given a resource."""

    __slots__ = ("resource",)
    _tq_remedy = "leave the argument out: the worker makes the resource"

    def __init__(self, resource: SharedResource[Any]) -> None:
        self.resource = resource

    def __repr__(self) -> str:
        return f"tq.resource({self.resource.name.rpartition(':')[2]})"


def resource(of: SharedResource[T], /) -> T:
    """Ask for a resource: the default of a parameter of a task, or of another resource.

    Who submits the task leaves the argument out; it cannot be sent. Where the task is called as a function, an argument of its own
    may be given, such as a fake in a test; without one, the resource is made for the call and closed behind it.

    Args:
        of: What ``@app.resource`` made of a function.

    Returns:
        For a type checker what the resource yields; at run time a mark, in whose place the worker puts that.

    Raises:
        InvalidArgument: It is not a resource.

    Example::

        @app.task
        def count(table: str, conn: Connection = tq.resource(db)) -> int: ...
    """
    if not isinstance(of, SharedResource):
        raise InvalidArgument(
            f"tq.resource: {brief(of, 80)} is not a resource; write @app.resource over the function that yields it"
        )
    return cast(T, Asked(of))


def asked_by(function: Callable[..., Any], name: str) -> dict[str, SharedResource[Any]]:
    """The parameters of a function that are given resources. ``name``: of the function, for errors."""
    inner = inspect.unwrap(function)
    defaults = [
        *(getattr(inner, "__defaults__", None) or ()),
        *(getattr(inner, "__kwdefaults__", None) or {}).values(),
    ]
    if not any(type(one) is Asked for one in defaults):  # nearly all functions
        return {}
    found: dict[str, SharedResource[Any]] = {}
    for one in inspect.signature(function).parameters.values():
        if type(one.default) is Asked:
            if one.kind is one.POSITIONAL_ONLY:
                raise InvalidArgument(
                    f"{name}: the resource {one.name} is given by name; move it behind the '/'"
                )
            found[one.name] = one.default.resource
    return found


def check_resources(function: Callable[..., Any]) -> None:
    """Raises InvalidArgument when a function that is to be a task asks for what it cannot be given."""
    name = getattr(function, "__qualname__", type(function).__name__)
    if asked := asked_by(function, name):
        check_asked(asked, name, is_coroutine=inspect.iscoroutinefunction(function))


def check_asked(asked: dict[str, SharedResource[Any]], name: str, *, is_coroutine: bool) -> None:
    """Raises InvalidArgument when a plain function asks for what only a coroutine can be given."""
    for parameter, one in asked.items():
        if one.is_coroutine and not is_coroutine:
            raise InvalidArgument(
                f"{name}: {parameter} is the async resource {one.name}, which is made in an event loop; write async def "
                f"{name.rpartition(':')[2].rpartition('.')[2]}"
            )


def _checked(function: Callable[..., Any]) -> tuple[str, bool]:
    """Name, and whether it is an async generator."""
    is_coroutine = inspect.isasyncgenfunction(function)
    if not is_coroutine and not inspect.isgeneratorfunction(function):
        raise InvalidArgument(
            f"@app.resource: {brief(function, 80)} is not a function that yields; write def db(): conn = connect(); yield conn; conn.close()"
        )
    return f"{function.__module__}:{function.__qualname__}", is_coroutine


def _check_parameters(function: Callable[..., Any], made: SharedResource[Any]) -> None:
    """The worker has nothing to give to other parameters."""
    for one in inspect.signature(function).parameters.values():
        is_many = one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if one.name not in made.asks and one.default is one.empty and not is_many:
            raise InvalidArgument(
                f"@app.resource: {made.name} has the parameter {one.name}, which a worker cannot give; give it a default, or ask for a "
                f"resource: {one.name} = tq.resource(…)"
            )
