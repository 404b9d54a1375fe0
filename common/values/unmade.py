"""Placeholders for values that were read but not built: for a process that keeps values for others and passes them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SALT: Final = b"unmade"  # its hash is a secret of the process


@dataclass(frozen=True, slots=True)
class UnmadeEnum:
    """A member of an enum, which need not be loaded here. ``name``: ``module:qualname``. ``member``: its name, or the value of a
    Flag. It equals the same member, and nothing else."""

    name: str
    member: str | int

    def __repr__(self) -> str:
        member = self.member if str(self.member).isidentifier() else repr(self.member)
        return f"<{self.name.partition(':')[2]}.{member}>"

    def __lt__(self, other: object) -> bool:
        raise TypeError(
            "the master keeps members of enums by their names, and cannot sort them; sort a copy: sorted(list(l))"
        )


class Unmade:
    """A dict or set of so many members that nothing was looked up by its hash: see ``hashing.py``.

    ``kind``: dict, set or frozenset. ``members``: its members, or its pairs of key and value.
    """

    __slots__ = ("kind", "members")

    def __init__(self, kind: type, members: list[Any]) -> None:
        self.kind, self.members = kind, members

    def made(self) -> Any:
        return self.kind(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unmade):
            return NotImplemented
        return (self.kind, len(self)) == (other.kind, len(other)) and (
            self.members == other.members or self._sorted() == other._sorted()
        )

    def __hash__(self) -> int:
        """Not the frozenset's own: a sender cannot choose it, because it equals the hash of nothing that is built."""
        if self.kind is not frozenset:
            raise TypeError(f"unhashable type: {self.kind.__name__!r}")
        return hash((self.kind, sum(hash((SALT, one)) for one in self.members)))

    def _sorted(self) -> list[Any]:
        if self.kind is dict:
            return sorted(self.members, key=lambda pair: hash(pair[0]))
        return sorted(self.members, key=hash)

    def __repr__(self) -> str:
        if self.kind is dict:
            return f"{{{', '.join(f'{key!r}: {value!r}' for key, value in self.members)}}}"
        text = f"{{{', '.join(map(repr, self.members))}}}"
        return text if self.kind is set else f"frozenset({text})"
