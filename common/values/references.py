"""What stands for a manager's object in a value: a proxy travels as a reference, and is a proxy again where it arrives.

The master keeps references as they are, in the lists and dicts that it keeps. Who makes proxies of them is named here and
not imported: only a program that reads one needs it, and none of the rooms that read values knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ..domain.model import OWN
from ..errors import DecodeError

REVIVED_BY: Final = "tq.client.stdlib.references:proxy_from"
KINDS: Final = ("object", "queue", "sync")
WIRE_BYTES_MAX: Final = 16 * 1024  # names, and what can be called
DEPTH_MAX: Final = 4  # of lists in where it is: a list of names, in a Condition's lock


@dataclass(frozen=True, slots=True)
class Reference:
    """``kind``: of proxy. ``where``: what that kind needs to find it. ``cluster``: the id of its master, hex."""

    kind: str
    where: tuple[Any, ...]
    cluster: str

    def __repr__(self) -> str:
        what, name = self.where[:2]
        return f"<{what} {name!r} of a manager>" if isinstance(name, str) else f"<{what} of a manager>"

    @property
    def stays(self) -> bool:
        """Whether it has a name of its own, and does not go with the program that made it."""
        name = self.where[1]
        return isinstance(name, str) and not name.startswith(OWN)

    def to_wire(self) -> list[Any]:
        return [self.kind, _listed(self.where), self.cluster]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Reference:
        """Raises DecodeError."""
        match wire:
            case [str(kind), [str(), _, *_] as where, str(cluster)] if kind in KINDS:
                return cls(kind, _tupled(where, DEPTH_MAX), cluster)
        raise DecodeError("these bytes are no reference to a manager's object")


def _listed(parts: tuple[Any, ...]) -> list[Any]:
    return [_listed(part) if isinstance(part, tuple) else part for part in parts]


def _tupled(parts: list[Any], depth: int) -> tuple[Any, ...]:
    """Nothing but names and numbers: what else a peer could send might not be sent on, or not be hashed."""
    if depth == 0 or not all(isinstance(part, list) or _is_plain(part) for part in parts):
        raise DecodeError("these bytes are no reference to a manager's object: it stands nowhere")
    return tuple(_tupled(part, depth - 1) if isinstance(part, list) else part for part in parts)


def _is_plain(part: Any) -> bool:
    if isinstance(part, int):
        return part.bit_length() < 64
    return part is None or isinstance(part, str | bytes)
