"""How each transaction begins: what the database may wait for in it, and how long, whatever its administrator has set for all.

A client that waits no longer closes its connection, and a server that waits for a lock does not notice that. So a wait for a lock ends
before its client's does; else each new attempt leaves a connection behind, until the server takes no more from anybody.

A statement has no time limit of the server's: it would end a commit's wait for its synchronous standby as if the standby had it.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import Final

from .line import Statement

BEGIN: Final = Statement(b"BEGIN")
LOCKED: Final = "55P03"  # it was locked for so long
LOCK_SHARE: Final = 0.75  # of the time that the client waits
# Statements are planned once for a connection, see line.py: a plan that reads a whole table, as is quickest while that is small, would stay
# when it has grown.
PLANNED: Final = (("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"))


class Sync(StrEnum):
    """When a commit is answered: ``synchronous_commit``."""

    ON = "on"
    OFF = "off"


@functools.cache
def begin(
    seconds_max: float, sync: Sync | None = None, *, planned: bool = False
) -> tuple[Statement, Statement]:
    """``seconds_max``: how long its client waits for it. ``sync``: None, as the server has it. ``planned``: it is of statements that are
    sent often."""
    settings = [("lock_timeout", str(int(1000 * LOCK_SHARE * seconds_max))), ("statement_timeout", "0")]
    if sync is not None:
        settings.append(("synchronous_commit", str(sync)))
    if planned:
        settings += PLANNED
    each = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings)
    return BEGIN, Statement(f"SELECT {each}".encode())
