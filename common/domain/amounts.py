"""Amounts of resources as exact whole numbers: thousandths of a unit, so that halves of a GPU add up without rounding. Pure.

``2`` GPUs are 2,000 thousandths, ``0.5`` is 500, and ``16G`` of memory is 16,000,000,000 bytes, a thousand thousandths each. What is
finer than a thousandth is refused and not rounded: a program that writes 1/3 should see that three times 0.333 is less than 1.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief

THOUSANDTHS: Final = 1_000  # of one unit
# A petabyte; sums of 1,000 such amounts still fit the 64 bits of a message
AMOUNT_MAX: Final = 10**15 * THOUSANDTHS
DIGITS_MAX: Final = 20  # of a written amount: none that is allowed has more
SHOWN_DIGITS_MAX: Final = 5  # of an amount in a sentence; longer ones are shown with one decimal
_WRITTEN: Final = re.compile(
    rf"([0-9]{{1,{DIGITS_MAX}}})(?:\.([0-9]{{1,{DIGITS_MAX}}}))? ?(?:([KMGTP])(i?)B?)?", re.ASCII
)
_SUFFIXES: Final = "KMGTP"


def read_amount(what: str, value: object) -> int:
    """An amount from a number or a text such as ``2``, ``0.5`` or ``16G``; ``K``, ``M``, ``G``, ``T`` and ``P`` are powers of
    1,000, with an ``i`` behind them of 1,024. ``what`` names it in the error. Raises InvalidArgument."""
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= AMOUNT_MAX:
        text = str(value) if isinstance(value, int) else f"{value:.3f}"
        if (
            float(text) != value
        ):  # what is finer is refused below: 0.1 is not, although its nearest float is not a tenth
            text = f"{value:.{DIGITS_MAX}f}"
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InvalidArgument(
            f"{what} is an amount such as 1, 0.5 or 16G (K M G T P are powers of 1,000, Ki Mi Gi Ti Pi of 1,024), not {brief(value, 80)}"
        )
    whole, part, suffix, binary = match[1], (match[2] or "").rstrip("0"), match[3], match[4]
    base = 1_024 if binary else 1_000
    scaled = int(whole + part) * base ** (_SUFFIXES.index(suffix) + 1 if suffix else 0) * THOUSANDTHS
    amount, rest = divmod(scaled, 10 ** len(part))
    if rest:
        raise InvalidArgument(
            f"{what}={brief(value, 80)} is finer than a thousandth; write {show_amount(amount)}"
        )
    return check_amount(what, amount)


def check_amount(what: str, amount: object) -> int:
    """An amount in thousandths, as it travels. Raises InvalidArgument."""
    if type(amount) is not int or not 1 <= amount <= AMOUNT_MAX:
        raise InvalidArgument(
            f"{what} is out of range: an amount is at least 0.001 and at most {show_amount(AMOUNT_MAX)}"
        )
    return amount


def show_amount(amount: int) -> str:
    """The amount as people write it. Exact, unless it would have more than five digits: then rounded down to a tenth of its unit."""
    if amount < 0:
        return "-" + show_amount(-amount)
    units, fraction = divmod(amount, THOUSANDTHS)
    if units < 10**SHOWN_DIGITS_MAX:
        return f"{units}.{fraction:03d}".rstrip("0") if fraction else str(units)
    exact = [
        (f"{units // size}{suffix}{letter}")
        for base, letter in ((1_000, ""), (1_024, "i"))
        for power, suffix in enumerate(_SUFFIXES, 1)
        if not fraction
        and units >= (size := base**power)
        and units % size == 0
        and units // size < 10**SHOWN_DIGITS_MAX
    ]
    if exact:
        return min(exact, key=len)
    power = max(power for power in range(1, len(_SUFFIXES) + 1) if units >= 1_000**power)
    tenths = units * 10 // 1_000**power
    return f"{tenths // 10}.{tenths % 10}{_SUFFIXES[power - 1]}"


def units(amount: int) -> int | float:
    """The number of units, for programs that read JSON."""
    return amount / THOUSANDTHS if amount % THOUSANDTHS else amount // THOUSANDTHS
