"""Chains, groups and chords, in the words of those who come from Celery: calls that are submitted together and need one another.

::

    chain(a.s(1), b.s(2), c.si())   a(1) ─► b(result of a, 2) ─► c(), after b
    group(a.s(1), a.s(2))           a(1), a(2)
    chord(group(…), c.s())          group ─► c([result, …])
    a.s() | b.s()                   a chain; group(…) | c.s(): a chord

All tasks are stored when ``submit`` returns: each is given the handles of those before it as arguments, so the master knows what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ...common.errors import InvalidArgument
from ...common.values.brief import brief


class Callee(Protocol):
    """The task of a signature: a ``Submitter``, which makes signatures and is not imported for that."""

    @property
    def name(self) -> str: ...
    @property
    def using(self) -> Callable[..., Callee]: ...
    @property
    def submit(self) -> Callable[..., Any]: ...


class CanvasPart:
    """What can stand in a chain."""

    def submit(self) -> Any:
        """Submit all of it.

        Returns:
            The handle of its last task; of a group the list of their handles.
        """
        return self._submit(())

    def _submit(self, before: Sequence[Any]) -> Any:
        """``before``: what stands before it in a chain, a handle or a list of handles, or nothing."""
        raise NotImplementedError

    def __or__(self, other: object) -> Chain:
        if not isinstance(other, CanvasPart):
            return NotImplemented
        return Chain([*_parts(self), *_parts(other)])


class Signature(CanvasPart):
    """A call that is submitted later: what ``task.s(…)`` and ``task.si(…)`` make."""

    def __init__(
        self,
        task: Callee,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        is_immutable: bool,
    ) -> None:
        self._task, self._args, self._kwargs, self._is_immutable = task, args, kwargs, is_immutable

    def __repr__(self) -> str:
        given = [brief(one, 40) for one in self._args] + [
            f"{name}={brief(one, 40)}" for name, one in self._kwargs.items()
        ]
        return f"{self._task.name}({', '.join(given)})"

    def using(self, **options: Any) -> Signature:
        """Make the same signature with other options.

        Args:
            options: Those of ``task.using``.

        Returns:
            The signature.
        """
        return Signature(
            self._task.using(**options), self._args, self._kwargs, is_immutable=self._is_immutable
        )

    def _submit(self, before: Sequence[Any]) -> Any:
        if before and self._is_immutable:
            return self._task.using(after=list(before)).submit(*self._args, **self._kwargs)
        return self._task.submit(*before, *self._args, **self._kwargs)


class Chain(CanvasPart):
    """Parts of which each waits for the one before it, and gets its result as the first argument."""

    def __init__(self, parts: Sequence[CanvasPart]) -> None:
        self._steps = parts

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._steps))

    def _submit(self, before: Sequence[Any]) -> Any:
        made: Any = None
        for part in self._steps:
            made = part._submit(before)
            before = [made]
        return made


class Group(CanvasPart):
    """Parts that run side by side. Behind another part of a chain each of them gets its result."""

    def __init__(self, parts: Sequence[CanvasPart]) -> None:
        self._members = parts

    def __repr__(self) -> str:
        return f"group({', '.join(map(repr, self._members))})"

    def _submit(self, before: Sequence[Any]) -> list[Any]:
        return [part._submit(before) for part in self._members]


class Chord(Chain):
    """A group, and a part that gets the list of its results."""


def chain(*parts: CanvasPart) -> Chain:
    """Make a chain: each part waits for the one before it, and gets its result as the first argument.

    Args:
        parts: Signatures, groups and chains, at least one.

    Returns:
        The chain; its ``submit`` returns the handle of the last task.

    Raises:
        InvalidArgument: A part is none.

    Example::

        print(tq.chain(fetch.s(url), parse.s()).submit().result())
    """
    return Chain(_checked("chain", parts))


def group(*parts: CanvasPart | Iterable[CanvasPart]) -> Group:
    """Make a group: parts that run side by side.

    Args:
        parts: Signatures and chains, or one iterable of them.

    Returns:
        The group; its ``submit`` returns the list of handles. For one function over many items ``task.map(items)`` is faster.

    Raises:
        InvalidArgument: A part is none.
    """
    if len(parts) == 1 and not isinstance(parts[0], CanvasPart):
        return Group(_checked("group", tuple(parts[0])))
    return Group(_checked("group", parts))


def chord(header: Group | Iterable[CanvasPart], body: CanvasPart) -> Chord:
    """Make a chord: a group, and a part that gets the list of its results when all have succeeded.

    Args:
        header: The group, or an iterable of its parts.
        body: A signature.

    Returns:
        The chord; its ``submit`` returns the handle of the body.

    Raises:
        InvalidArgument: A part is none.

    Example::

        print(tq.chord([fetch.s(url) for url in urls], merge.s()).submit().result())
    """
    members = header if isinstance(header, Group) else group(*header)
    return Chord([members, *_checked("chord", (body,))])


def _checked(what: str, parts: Sequence[Any]) -> Sequence[CanvasPart]:
    if not parts:
        raise InvalidArgument(f"a {what} has at least one part: {what}(task.s(1), …)")
    for part in parts:
        if not isinstance(part, CanvasPart):
            raise InvalidArgument(
                f"{brief(part, 80)} is no part of a {what}; write task.s(…) for a call of a task"
            )
    return parts


def _parts(part: CanvasPart) -> Sequence[CanvasPart]:
    return part._steps if isinstance(part, Chain) else [part]
