"""A callable as workers know it: its name, and its signature if this program has the function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from ...common.domain.model import check_name
from .signature import Arguments


class Definition:
    """The name is computed when it is needed: a function that no worker could find may still be decorated and called
    here; only submitting it raises NotNamed."""

    def __init__(self, function: Callable[..., Any] | None, name: str | None) -> None:
        self.function = function
        self._name = None if name is None else check_name("task", name)

    @property
    def name(self) -> str:
        if self._name is None:
            from ...common.domain.naming import callable_name

            self._name = check_name("task", callable_name(cast(Callable[..., Any], self.function)))
        return self._name

    @functools.cached_property
    def arguments(self) -> Arguments | None:
        """None when only the name is known: then the worker checks the arguments."""
        return None if self.function is None else Arguments(self.function)

    @functools.cached_property
    def received(self) -> Callable[[Any], Any] | None:
        """What makes a result of plain data, by the annotation of the function; None: it is as it is."""
        typed = None if self.arguments is None else self.arguments.typed
        return None if typed is None or typed.result is None else typed.received_result
