"""Calls that run as one (``coalesce=``): the list that the function gets, and what each call gets of what it returns. Pure.

One result stands for each call, in their order. An exception in the place of a result is the failure of that call alone; what the function
raises is the failure of each. A function that returns another number of results has failed for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...common.domain.model import OutcomeNumber
from ...common.values.blob import Blob
from ...common.values.brief import brief
from ...common.values.codec import encode_atom
from ...common.values.plain import ATOMS
from .became import became
from .verdict import Verdict, verdict

RESULTS = (list, tuple)


def item_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The argument of one call. Raises TypeError."""
    given = [*args, *kwargs.values()]
    if len(given) != 1:
        raise TypeError(f"calls that run as one have one argument each, not {len(given)}")
    return given[0]


def results_of(name: str, run: Callable[[list[Any]], Any], items: list[Any]) -> Sequence[Any]:
    """Call the function. Raises what it raises, and TypeError for what is not one result for each call."""
    count = len(items)
    results = run(items)
    # By type: a generator or a dict of the right length would be taken apart in an order that no one has promised.
    if type(results) not in RESULTS or len(results) != count:
        what = f"{len(results):,} results" if type(results) in RESULTS else brief(results, 80)
        raise TypeError(
            f"{name} was called with a list of {count:,} (coalesce=) and returned {what}; return a list with one result "
            "for each, in their order"
        )
    found: Sequence[Any] = results
    return found


def end_of(
    value: Any,
    timeout: float | None,
    encode: Callable[[Any, None, list[Blob]], bytes],
    send: Callable[[list[Blob]], list[bytes]],
    ours: str,
) -> tuple[Verdict, list[bytes]]:
    """How one of the calls ends whose place has this, and the content that its result names. ``send``: uploads it."""
    try:
        # Most results: encoded without the codec's walk.
        if type(value) in ATOMS:
            return (OutcomeNumber.SUCCESS, encode_atom(value, "result"), None), []
        if isinstance(value, BaseException):
            raise value
        if (other := became(value)) is not None:
            return (OutcomeNumber.BECAME, other, None), []
        blobs: list[Blob] = []
        body = encode(value, None, blobs)
        return (OutcomeNumber.SUCCESS, body, None), send(blobs) if blobs else []
    # Only this place fails; what ends the attempt of all is raised.
    except Exception as error:
        return verdict(error, timeout, ours), []
