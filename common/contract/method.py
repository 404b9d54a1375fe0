"""What is agreed on of a method that is called over the wire, and of the object that has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..domain.model import Role


class Audited(NamedTuple):
    """That a method changes the cluster, or others' work: each call of it that succeeds stands in the audit log.

    ``words``: what was done, in the past tense. ``of``: the parameter, of the method or of its object, that names what it was done
    to; empty: the method says so itself (``Call.concerns``). Of other arguments nothing is kept. ``counts``: the answer says to how
    many. ``together``: calls of one program that come soon after one another are one row whatever they name.
    """

    words: str
    of: str = ""
    counts: bool = False
    together: bool = False


class Method(NamedTuple):
    """``role``: the least that may call it. ``repeatable``: done twice it has the effect of once, so a client makes the call
    again when its connection was lost before the answer came. ``one_way``: its answer is nil, and says only that it was
    done. ``audited``: None: it changes nothing, or the caller's own work; a test has the reason of each."""

    role: Role
    repeatable: bool = False
    one_way: bool = False
    audited: Audited | None = None


class Contract(NamedTuple):
    """An object by the name it is called by."""

    name: str
    methods: Mapping[str, Method]
