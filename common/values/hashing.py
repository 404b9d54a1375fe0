"""Keys and members whose hashes their sender can choose, and what a dict or a set of them may cost who makes it.

The hash of text and of bytes has a secret of the process. That of a number is known, and so is that of what is made of
numbers: tuples, Decimals, UUIDs, times. Two ways lead from there to a dict that takes minutes to make: keys that share
one hash, each compared with all before it; and keys that share none, but whose places in the table follow one another
in a long chain, which each key walks to its end. Many keys are needed for either, so such keys are counted:

1. at most ``CHOSEN_MAX`` of them are in one dict or set, and at most ``ALIKE_MAX`` of those have one hash;
2. up to ``ALIKE_MAX`` need no look: no chain among so few costs more than reading them does;
3. the rule is the same where a value is sent and where it is read, and each dict and set is judged by itself: so what could
   be sent can be read, and lists, dicts and chunks of what could be sent, too;
4. who reads for others (the master) makes only such dicts and sets as need no look. The others stay ``Unmade`` (``unmade.py``).

Text and bytes are not counted: dicts of a million names are as good as any.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Final

# One chain of 10,000 integers, the worst that was found, takes 0.2 s to make; one of 60,000 takes 5 s. The time grows
# with the square.
CHOSEN_MAX: Final = 10_000
ALIKE_MAX: Final = 64  # of tuples of small numbers some are alike by chance: (-1, -2) and (-2, -1)
UNCHOSEN: Final = frozenset({str, bytes})


def chosen(members: Iterable[Any]) -> int:
    """How many of them have a hash that a sender can choose."""
    kinds = list(map(type, members))
    return 0 if UNCHOSEN.issuperset(kinds) else sum(kind not in UNCHOSEN for kind in kinds)


def complaint(members: Sequence[Any]) -> str | None:
    """What is wrong with a dict of these keys or a set of these members; TypeError for one that has no hash.

    Hashes are sorted and not counted by a dict, for that would be the dict in question.
    """
    if len(members) <= ALIKE_MAX:
        return None
    count = chosen(members)
    if count > CHOSEN_MAX:
        return (
            f"more than {CHOSEN_MAX:,} keys or members that are neither text nor bytes, in one dict or set,"
        )
    if count > ALIKE_MAX:
        hashes = sorted(hash(one) for one in members if type(one) not in UNCHOSEN)
        if any(map(operator.eq, hashes, hashes[ALIKE_MAX:])):
            return f"more than {ALIKE_MAX} keys or members of one hash, in one dict or set,"
    return None
