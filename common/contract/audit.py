"""What people and programs have changed: ``get_audit``."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..domain.model import Role
from .method import Contract, Method

AUDIT: Final = Contract("get_audit", {"list": Method(Role.VIEWER, repeatable=True)})


class AuditRow(NamedTuple):
    """Calls of one program that changed the same, one or several that came soon after one another. Unix seconds. ``words``: what was
    done, by ``method`` of an object; ``target``: to what; ``reached``: how many that were, None: the method does not say, or has not ended."""

    number: int
    at: float
    last: float
    key: str
    address: str
    node: bytes
    method: str
    words: str
    target: str
    calls: int
    reached: int | None
