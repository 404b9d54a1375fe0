"""Whether one glob pattern of queues lies within another: every name that the first fits, the second fits. Pure.

A key grants what it has and no more, so a pattern that cannot be shown to lie within is taken for one that does not:
``[ab]*`` within two patterns ``a*`` and ``b*`` together is not looked for.
"""

from __future__ import annotations

from functools import lru_cache

from ..domain.globs import ANY_ONE, STAR, glob, parts_of


@lru_cache(maxsize=1_024)
def lies_within(inner: str, outer: str) -> bool:
    """``gpu.a*`` lies within ``gpu.*``; ``*`` lies within nothing but ``*``."""
    inner_parts, outer_parts = parts_of(inner), parts_of(outer)
    # reached[i]: the first i parts of inner lie within the parts of outer that were looked at
    reached = [True] + [False] * len(inner_parts)
    for part in outer_parts:
        if part == STAR:  # takes any run of parts, stars as well
            first = reached.index(True) if True in reached else len(reached)
            reached = [place >= first for place in range(len(reached))]
        else:
            reached = [False] + [reached[i] and _takes(part, one) for i, one in enumerate(inner_parts)]
    return reached[-1]


def _takes(outer: str, inner: str) -> bool:
    """Whether a part of one character fits whatever the other part fits."""
    if inner == STAR:
        return False
    if outer in (ANY_ONE, inner):
        return True
    return len(inner) == 1 and inner != ANY_ONE and glob(outer).fits(inner)
