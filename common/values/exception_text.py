"""What an exception says of itself, read so that nothing it does gets in the way. Never raises.

An exception is the user's code: ``args``, ``__cause__``, ``__notes__``, ``__dict__`` and ``__class__`` may be properties
that raise, ``__str__`` may leave the process, a chain may have a thousand links or be a circle. So what Python
keeps in the exception itself is read by the descriptors of BaseException, which no class can replace, and what only
its own code can say is asked through ``ask``.

Invariants: 1. no function here raises, whatever the exception is; 2. chains and groups are walked with a list, never
by recursion, and are cut (tests/common/values/test_exception_text.py).
"""

from __future__ import annotations

import traceback as tracebacks
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

LINKS_MAX: Final = 50  # errors of a chain and its groups that Python's own formatter is given
GROUP_DEPTH_MAX: Final = 10  # as deep as Python's own formatter shows groups
ENDS: Final = 10  # of a longer chain so many of its first and of its last errors are shown
WALKED_MAX: Final = 10_000  # links of a chain that are followed; what is behind them is not shown
MEMBERS_MAX: Final = 15  # of a group shown in a line each
NOTES_MAX: Final = 8
LINES_MAX: Final = 200  # about one error and the members of its groups: groups may share members without end
SYNTAX_CHARS_MAX: Final = 10_000  # Python draws a line of carets as long as a SyntaxError says

_SLOTS: Final = frozenset({"__cause__", "__context__", "__suppress_context__", "__traceback__", "exceptions"})
_SYNTAX_SLOTS: Final = ("lineno", "offset", "end_lineno", "end_offset", "text", "filename", "msg")
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_HANDLED: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_BASE: Final = vars(BaseException)
_MEMBERS: Final = vars(BaseExceptionGroup)["exceptions"]
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by Python code
_flags, _mro, _namespace = (type.__dict__[name].__get__ for name in ("__flags__", "__mro__", "__dict__"))

Trim = Callable[[tracebacks.StackSummary, BaseException], list[tracebacks.FrameSummary]]
"""The frames of an error that are worth showing."""


class ChainLink(NamedTuple):
    """An error of a chain, and how it leads to the one after it."""

    error: BaseException
    leads: str = ""


def ask(step: Callable[[], T], otherwise: T) -> T:
    """What the user's code answers, or ``otherwise``. SystemExit, KeyboardInterrupt and a time limit too are no
    answer: who describes an end is not ended by the description."""
    try:
        return step()
    except BaseException:
        return otherwise


def slot(error: BaseException, name: str) -> Any:
    """What Python itself keeps under this name, whatever the class has put in its place."""
    return _BASE[name].__get__(error)


def plain_text(text: Any, chars_max: int) -> str:
    """The beginning of a text as an exact ``str`` that can be sent: lone surrogates are shown escaped, and no method of a
    subclass is called. Empty for what is no text."""
    if not issubclass(type(text), str):
        return ""
    return str.encode(str.__getitem__(text, slice(chars_max)), "utf-8", "backslashreplace").decode("utf-8")


def type_name(error: BaseException) -> str:
    """``module.Class``, or ``Class`` of one of Python's own."""
    kind = type(error)
    name = type.__dict__["__qualname__"].__get__(kind)
    module = ask(lambda: plain_text(type.__dict__["__module__"].__get__(kind), 200), "")
    return plain_text(name if module in ("builtins", "") else f"{module}.{name}", 400)


def message(error: BaseException, chars_max: int) -> str:
    """``str(error)``, or why there is none."""
    try:
        return plain_text(str(error), chars_max)
    except BaseException as broken:
        own = broken  # Python forgets ``broken`` behind this block
        why = ask(lambda: plain_text(repr(own), 200), "") or type_name(own)
        return f"<its message could not be made: {why}>"


def notes(error: BaseException, chars_max: int) -> list[str]:
    """What ``add_note`` has added."""
    kept = ask(lambda: dict.get(slot(error, "__dict__"), "__notes__"), None)
    if type(kept) is not list:
        return []
    return [plain_text(note, chars_max) for note in kept[:NOTES_MAX] if issubclass(type(note), str)]


def traceback_text(
    error: BaseException, trim: Trim, chars_max: int, ours: tuple[str, ...] | None = None
) -> str:
    """As Python shows it, with the frames that ``trim`` keeps; plainer when Python's own formatter could be led astray. ``ours``: how
    files begin whose frames ``trim`` leaves out where they stand above the first frame of another file: those are not looked at."""
    text = ask(lambda: _by_python(error, trim, ours) if _is_tame(error) else "", "")
    text = text or ask(lambda: _by_hand(error, trim), "") or f"{type_name(error)}\n"
    if len(text) > chars_max:
        half = chars_max // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
    return plain_text(text, len(text))


# the way to an error


def chain(error: BaseException) -> list[ChainLink]:
    """What led to an error and itself, the first first, as Python tells it; a circle is left where it closes."""
    links, seen, leads = [ChainLink(error)], {id(error)}, ""
    while len(links) < WALKED_MAX:
        earlier, leads = slot(error, "__cause__"), _CAUSED
        if earlier is None and not slot(error, "__suppress_context__"):
            earlier, leads = slot(error, "__context__"), _HANDLED
        if earlier is None or id(earlier) in seen:
            break
        seen.add(id(earlier))
        links.append(ChainLink(earlier, leads))
        error = earlier
    return links[::-1]


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Of a group; none of another error."""
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    return ask(lambda: tuple(_MEMBERS.__get__(error)), ())


def _is_tame(error: BaseException) -> bool:
    """Whether it is small enough for Python's own formatter, which recurses into groups and believes properties."""
    waiting, seen = [(error, 0)], set[int]()
    while waiting:
        one, depth = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if len(seen) > LINKS_MAX or depth > GROUP_DEPTH_MAX or not _is_plain(one):
            return False
        waiting += [
            (one, depth) for one in (slot(one, "__cause__"), slot(one, "__context__")) if one is not None
        ]
        waiting += [(member, depth + 1) for member in members(one)]
    return True


def _is_plain(error: BaseException) -> bool:
    """Whether no code of its class stands where Python's own formatter looks, and it finds what it expects there."""
    classes = [_namespace(base) for base in _mro(type(error)) if _flags(base) & _HEAP_TYPE]
    if any("__getattribute__" in names or not _SLOTS.isdisjoint(names) for names in classes):
        return False
    if not issubclass(type(error), SyntaxError):
        return True
    if any(not names.keys().isdisjoint(_SYNTAX_SLOTS) for names in classes):
        return False
    values = [vars(SyntaxError)[name].__get__(error) for name in _SYNTAX_SLOTS]
    return all(
        value is None
        or (type(value) is int and 0 <= value < SYNTAX_CHARS_MAX)
        or (type(value) is str and len(value) < SYNTAX_CHARS_MAX)
        for value in values
    )


def _by_python(error: BaseException, trim: Trim, ours: tuple[str, ...] | None) -> str:
    # Python takes a hundred microseconds for frames that are left out.
    way = _from_others(slot(error, "__traceback__"), ours)
    report = tracebacks.TracebackException(type(error), error, way)
    waiting: list[tuple[tracebacks.TracebackException | None, BaseException | None]] = [(report, error)]
    while waiting:
        report_of, one = waiting.pop()
        if report_of is None or one is None:
            continue
        report_of.stack[:] = trim(report_of.stack, one)
        if not report_of.stack:  # else its heading would stand above nothing
            report_of.stack = None  # type: ignore[assignment]
        waiting += [(report_of.__cause__, one.__cause__), (report_of.__context__, one.__context__)]
        waiting += zip(getattr(report_of, "exceptions", None) or (), members(one), strict=False)
    return "".join(report.format())


def _from_others(way: TracebackType | None, ours: tuple[str, ...] | None) -> TracebackType | None:
    """From the first frame of another file on; all of them if there is none."""
    at = way
    while ours is not None and at is not None and at.tb_frame.f_code.co_filename.startswith(ours):
        at = at.tb_next
    return at or way


def _by_hand(error: BaseException, trim: Trim) -> str:
    links = chain(error)
    if len(links) <= 2 * ENDS:
        return "".join(_link_text(link, trim) for link in links)
    left_out = len(links) - 2 * ENDS
    more = " at least" if len(links) >= WALKED_MAX else ""
    return "".join(
        [
            *(_link_text(link, trim) for link in links[:ENDS]),
            f"\n…{more} {left_out:,} errors of this chain left out …\n\n",
            *(_link_text(link, trim) for link in links[-ENDS:]),
        ]
    )


def _link_text(link: ChainLink, trim: Trim) -> str:
    frames = ask(lambda: _frames(link.error, trim), list[str]())
    heading = ["Traceback (most recent call last):\n"] if frames else []
    return "".join([*heading, *frames, *_lines(link.error), link.leads])


def _frames(error: BaseException, trim: Trim) -> list[str]:
    way: TracebackType | None = slot(error, "__traceback__")
    stack = tracebacks.StackSummary.extract(tracebacks.walk_tb(way))
    return tracebacks.StackSummary.from_list(trim(stack, error)).format()


def _lines(error: BaseException) -> list[str]:
    """Name, message and notes; of a group its members, each a step further in."""
    waiting, lines = [(error, 0)], list[str]()
    while waiting and len(lines) < LINES_MAX:
        one, depth = waiting.pop()
        indent = "  " * depth
        text = message(one, 1_000)
        lines.append(f"{indent}{type_name(one)}{': ' if text else ''}{text}\n")
        lines += [f"{indent}{note}\n" for note in notes(one, 1_000)]
        inside = members(one)
        if depth < GROUP_DEPTH_MAX:
            waiting += [(member, depth + 1) for member in reversed(inside[:MEMBERS_MAX])]
        if len(inside) > MEMBERS_MAX or (inside and depth >= GROUP_DEPTH_MAX):
            lines.append(f"{indent}  … of {len(inside):,} errors inside …\n")
    return lines
