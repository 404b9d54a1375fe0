"""What is agreed on of a method that is called over the wire, and of the object that has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..domain.model import Role


class Method(NamedTuple):
    """``role``: the least that may call it. ``repeatable``: done twice it has the effect of once, so a client makes the call
    again when its connection was lost before the answer came. ``one_way``: its answer is nil, and says only that it was
    done."""

    role: Role
    repeatable: bool = False
    one_way: bool = False


class Contract(NamedTuple):
    """An object by the name it is called by."""

    name: str
    methods: Mapping[str, Method]
