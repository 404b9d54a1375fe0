"""What makes a method callable over the wire: a declared role. Without the mark it does not exist there.

::

    class Counter:
        @exposed(Role.CLIENT)
        def add(self, name: str, amount: int = 1) -> int: ...

Deny by default: there is no way to expose a whole class at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from ..domain.model import Role

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK: Final = "__tq_role__"

# Who may call a method that declares a role. ADMIN may do everything.
ALLOWED: Final[dict[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER, Role.CLIENT, Role.ADMIN}),
    Role.CLIENT: frozenset({Role.CLIENT, Role.ADMIN}),
    Role.WORKER: frozenset({Role.WORKER, Role.ADMIN}),
    Role.ADMIN: frozenset({Role.ADMIN}),
}


def exposed(role: Role | str) -> Callable[[_F], _F]:
    """Mark a method that sessions may call over the network; a method without the mark cannot be called.

    Args:
        role: Role of the keys that may call it: ``"viewer"`` (and ``"client"``), ``"client"``, ``"worker"`` or
            ``"admin"``. Admins may call everything.

    Returns:
        The decorator, which returns the method itself.

    Example::

        class Counter:
            @tq.exposed("client")
            def add(self, amount: int = 1) -> int: ...
    """
    declared = Role(role)

    def mark(method: _F) -> _F:
        setattr(method, _MARK, declared)
        return method

    return mark


def declared_role(kind: type, method: str) -> Role | None:
    """The role a method of a class declares; None when it is not exposed."""
    role = getattr(getattr(kind, method, None), _MARK, None)
    return role if isinstance(role, Role) else None


def exposed_methods(kind: type) -> dict[str, Role]:
    """Every exposed method of a class and its role."""
    return {name: role for name in dir(kind) if (role := declared_role(kind, name)) is not None}
