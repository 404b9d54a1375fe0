"""Members of enums in values: named by module, class and member, and looked up among the classes that are loaded. Nothing is
imported because data names it."""

from __future__ import annotations

import enum
import re
from typing import Any, Final

from ..domain.naming import find_loaded
from ..errors import DecodeError
from .brief import brief
from .unmade import UnmadeEnum

# A class at the top of a module, or inside such a class. The module may be a script, whose file has any name.
NAME: Final = re.compile(r"[^:<>]+:\w+(\.\w+)*")


def read_enum(name: Any, member: Any, *, unmade: bool, judged: bool) -> enum.Enum | UnmadeEnum:
    """The member, or with ``unmade`` what stands for it, whether its class is loaded or not: a master that keeps values gives out
    the same in every process. ``judged``: it was accepted before. Raises DecodeError, and KeyError or ValueError for a member that
    its class does not have."""
    found: Any = find_loaded(name) if type(name) is str else None
    kind: type[enum.Enum] | None = found if isinstance(found, type) and issubclass(found, enum.Enum) else None
    if unmade:
        if not _is_name(name) or type(member) not in (str, int):
            raise DecodeError(
                f"{brief(name, 200)} is no enum that another program could find; define it at the top of a module"
            )
        if kind is not None or found is None or judged:
            return UnmadeEnum(name, member)
    if kind is None:
        shown = brief(name, 200).strip("'")
        raise DecodeError(f"the enum {shown} is not known here; import {shown.partition(':')[0]} first")
    return kind(member) if issubclass(kind, enum.Flag) else kind[member]


def _is_name(name: Any) -> bool:
    return type(name) is str and NAME.fullmatch(name) is not None and name.isprintable()
