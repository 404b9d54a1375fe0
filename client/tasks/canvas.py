"""Chains, groups and chords, in the words of those who come from Celery: calls that are submitted together and need one another.

::

    chain(a.s(1), b.s(2), c.si())   a(1) ─► b(result of a, 2) ─► c(), after b
    group(a.s(1), a.s(2))           a(1), a(2)
    chord(group(…), c.s())          group ─► c([result, …])
    a.s() | b.s()                   a chain; group(…) | c.s(): a chord
    chord(a.map(xs), c.s())         tasks that are submitted already may stand first
    a.s(1).link(b.s())              b(result of a), beside what else needs it; link_error(c.s()): c(tq.Failed), only if a fails

All tasks are stored when ``submit`` returns: each is given the handles of those before it as arguments, so the master knows what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

from ...common.domain.on_error import CATCH
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from .open_flow import OPEN_FLOW


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

    def __init__(self) -> None:
        self._links: list[Signature] = []
        self._error_links: list[Signature] = []

    def submit(self) -> Any:
        """Submit all of it.

        Returns:
            The handle of its last task; of a group the list of their handles.
        """
        return self._submit(())

    async def asubmit(self) -> Any:
        """Do as ``submit``, for an event loop.

        Returns:
            As ``submit``.
        """
        import asyncio

        return await asyncio.to_thread(self.submit)

    def link(self, callback: Signature) -> Self:
        """Have another task get the result too: of a chain that of its last task.

        Args:
            callback: A signature, which gets the result in front of its arguments; one of ``si`` only waits.

        Returns:
            What it was called on.

        Raises:
            InvalidArgument: It is not a signature, or what it was called on is a group.
        """
        self._links.append(_callback(callback))
        return self

    def link_error(self, callback: Signature) -> Self:
        """Have another task called if this one does not succeed, or a task before it in the chain.

        Args:
            callback: A signature, which gets a ``tq.Failed`` in front of its arguments; one of ``si`` gets nothing. Where nothing
                fails it ends as cancelled. It is part of no flow.

        Returns:
            What it was called on.

        Raises:
            InvalidArgument: It is not a signature.
        """
        self._error_links.append(_callback(callback))
        return self

    def _submit(self, before: Sequence[Any]) -> Any:
        """``before``: what stands before it in a chain, a handle or a list of handles, or nothing."""
        made = self._submit_parts(before)
        for callback in self._links:
            callback._submit((made,))
        if self._error_links:
            self._submit_error_links(made)
        return made

    def _submit_parts(self, before: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _submit_error_links(self, made: Any) -> None:
        joined = OPEN_FLOW.set(None)  # there it would count as one that was cancelled
        try:
            for callback in self._error_links:
                # CATCH: it gets the failure as a value, where any other task would be cancelled by it.
                callback.using(on_error=CATCH)._submit((made,))
        finally:
            OPEN_FLOW.reset(joined)

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
        super().__init__()
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
        made = Signature(
            self._task.using(**options), self._args, self._kwargs, is_immutable=self._is_immutable
        )
        # Copies: a link that is added to one signature must not appear at the other.
        made._links, made._error_links = [*self._links], [*self._error_links]
        return made

    def _submit_parts(self, before: Sequence[Any]) -> Any:
        if before and self._is_immutable:
            # It waits all the same: only the result is left out.
            return self._task.using(after=list(before)).submit(*self._args, **self._kwargs)
        return self._task.submit(*before, *self._args, **self._kwargs)


class Chain(CanvasPart):
    """Parts of which each waits for the one before it, and gets its result as the first argument."""

    def __init__(self, parts: Sequence[CanvasPart]) -> None:
        super().__init__()
        self._steps = parts

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._steps))

    def _submit_parts(self, before: Sequence[Any]) -> Any:
        made: Any = None
        for part in self._steps:
            made = part._submit(before)
            # A group gives a list of handles, which its successor gets as one argument.
            before = [made]
        return made


class Group(CanvasPart):
    """Parts that run side by side. Behind another part of a chain each of them gets its result."""

    def __init__(self, parts: Sequence[CanvasPart]) -> None:
        super().__init__()
        self._members = parts

    def __repr__(self) -> str:
        return f"group({', '.join(map(repr, self._members))})"

    def link(self, callback: Signature) -> Self:
        """Refused: a group has no result of its own.

        Args:
            callback: A signature.

        Raises:
            InvalidArgument: Always; write ``group | callback``, a chord, or link it to each part.
        """
        raise InvalidArgument(
            f"a group has no result of its own for {brief(callback, 40)}: write group(…) | callback, a chord, or link it to each "
            "part"
        )

    def _submit_parts(self, before: Sequence[Any]) -> list[Any]:
        return [part._submit(before) for part in self._members]

    def _submit_error_links(self, made: Any) -> None:
        # ``made`` is a list here: each part of a group fails by itself.
        for one in made:
            super()._submit_error_links(one)


class Submitted(CanvasPart):
    """Tasks that are submitted already: a handle, or the handles of a map."""

    def __init__(self, handles: Any) -> None:
        super().__init__()
        self._handles = handles

    def __repr__(self) -> str:
        return brief(self._handles, 40)

    def _submit_parts(self, before: Sequence[Any]) -> Any:
        if before:
            raise InvalidArgument(
                f"{brief(self._handles, 60)} is submitted already and waits for nothing: it can only stand first; write "
                "task.s(…) for a call that waits"
            )
        return self._handles


class Chord(Chain):
    """A group, and a part that gets the list of its results."""


def chain(*parts: Any) -> Chain:
    """Make a chain: each part waits for the one before it, and gets its result as the first argument.

    Args:
        parts: Signatures, groups and chains, at least one. Handles of tasks that are submitted already may stand first.

    Returns:
        The chain; its ``submit`` returns the handle of the last task.

    Raises:
        InvalidArgument: A part is none.

    Example::

        print(tq.chain(fetch.s(url), parse.s()).submit().result())
    """
    return Chain(_checked("chain", parts))


def group(*parts: Any) -> Group:
    """Make a group: parts that run side by side.

    Args:
        parts: Signatures and chains, or one iterable of them.

    Returns:
        The group; its ``submit`` returns the list of handles. For one function over many items ``task.map(items)`` is faster.

    Raises:
        InvalidArgument: A part is none.
    """
    # As in Celery: group([a, b]) and group(a, b) are the same.
    if len(parts) == 1 and not isinstance(parts[0], CanvasPart):
        return Group(_checked("group", tuple(parts[0])))
    return Group(_checked("group", parts))


def chord(header: Group | Iterable[Any], body: CanvasPart) -> Chord:
    """Make a chord: a group, and a part that gets the list of its results when all have succeeded.

    Args:
        header: The group, or an iterable of its parts, or the handles of a map.
        body: A signature.

    Returns:
        The chord; its ``submit`` returns the handle of the body.

    Raises:
        InvalidArgument: A part is none.

    Example::

        print(tq.chord([fetch.s(url) for url in urls], merge.s()).submit().result())
    """
    members: Sequence[CanvasPart]
    # Handles of a map are not a list of parts: they stand for their tasks as they are.
    if isinstance(header, Group) or hasattr(header, "_tq_needed"):
        members = _checked("chord", (header,))
    else:
        members = [group(*header)]
    return Chord([*members, *_checked("chord", (body,))])


def _checked(what: str, parts: Sequence[Any]) -> Sequence[CanvasPart]:
    if not parts:
        raise InvalidArgument(f"a {what} has at least one part: {what}(task.s(1), …)")
    found: list[CanvasPart] = []
    for part in parts:
        if hasattr(part, "_tq_needed"):
            part = Submitted(part)
        if not isinstance(part, CanvasPart):
            raise InvalidArgument(
                f"{brief(part, 80)} is not part of a {what}; write task.s(…) for a call of a task"
            )
        found.append(part)
    return found


def _callback(callback: Any) -> Signature:
    if not isinstance(callback, Signature):
        raise InvalidArgument(f"{brief(callback, 80)} is not a callback; write task.s(…) or task.si(…)")
    return callback


def _parts(part: CanvasPart) -> Sequence[CanvasPart]:
    # (a | b) | c is one chain of three, not a chain in a chain.
    return part._steps if isinstance(part, Chain) else [part]
