"""A line for ``/bin/sh`` with places for an item. Pure.

No item ever becomes a part of the line: it arrives as a positional parameter, and the line names the variable that has
it. Where a place stands decides how it is named::

    unquoted      wc -c {}          wc -c "${_tq_1}"
    "one word"    wc -c "{.}.gz"    wc -c "${_tq_1}.gz"
    'one word'    wc -c '{.}.gz'    wc -c ''"${_tq_1}"'.gz'

Everywhere else (in quotes with more than a word, a here-document, arithmetic, backquotes, an expansion, a program for another
shell) its text would be left out, or read as a program by what is started with it. Such a line is refused, with what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NoReturn

from ....common.errors import InvalidArgument
from .code_takers import AS_PARAMETER, UnsafePlace
from .shell_commands import ShellCommands

_ONE_WORD: Final = re.compile(
    r"[\w./:=,@%+-]*", re.ASCII
)  # beside places in quotes: nothing for any shell to act on
_PROGRAM_NEXT: Final = re.compile(
    r"(?:^|[\s;&|(/])(?:ba|da|k|z|a|mk)?sh\s+(?:-\S+\s+)*-\w*c\s+\Z|(?:^|[\s;&|({])eval\s[^;&|]*\Z"
)  # only for the hint: shell_commands.py judges
_ASSIGNED: Final = 'assign it first:  x={}; echo "$x"'
_EXPANSIONS: Final = {  # where a place in it stands; what opens another of its kind; what closes it; what to write
    "$((": ("in arithmetic", "(", ")", "calculate with a program:  expr {} + 1"),
    "${": ("in an expansion", "{", "}", _ASSIGNED),
    "$'": ("in quotes", "", "'", _ASSIGNED),
    "`": ("in backquotes", "", "`", 'write $(…):  echo "$(wc -c {})"'),
}
_HERE: Final = re.compile(r"<<-?(?!<)")
_HINT: Final = 'it is quoted by itself: write {} outside of quotes, as in  wc -c {}  or  "file "{}" done"'


class ShellLine:
    """``place``: what a place looks like. ``numbers``: the places whose values are numbers, and harmless anywhere."""

    def __init__(self, text: str, place: re.Pattern[str], numbers: frozenset[str]) -> None:
        self._text, self._place, self._numbers = text, place, numbers
        self.places: list[str] = []  # in the order of their parameters
        line = self._scan()
        if set(self.places) - numbers:
            self._judge_commands()
        assignments = "".join(f"_tq_{at}=${{{at}}}; " for at in range(1, len(self.places) + 1))
        self.line = assignments + line  # variables, because a function in the line has parameters of its own

    def words(self, shell: str, value: Callable[[str], str]) -> list[str]:
        """The command. ``value``: what goes into a place."""
        return [shell, "-c", self.line, shell, *map(value, self.places)]

    def _scan(self) -> str:
        text, out, at = self._text, [], 0
        opened: list[str] = []  # each of: ' " ( for $(…) or a subshell
        start = word = 0  # of what is in the innermost quotes; of the word
        while at < len(text):
            quote = opened[-1] if opened else ""
            match = self._place.match(text, at)
            if match:
                self._judge(match, quote, start, word)
                out.append(self._named(match[0], quote))
                at = match.end()
                continue
            step = 1
            one = text[at]
            if quote == "'":
                if one == "'":
                    opened.pop()
            elif one == "\\":
                step = 2
                if self._place.match(text, at + 1):
                    self._refuse(at, "behind a backslash")
            elif quote == '"' and one == '"':
                opened.pop()
            elif text.startswith(("$((", "${", "`"), at) or (quote != '"' and text.startswith("$'", at)):
                step = self._closed(at) - at
            elif text.startswith("$(", at):
                opened.append("(")
                step = 2
            elif quote != '"':
                if one in "'\"":
                    opened.append(one)
                    start = at + 1
                elif one == "(":
                    opened.append(one)
                elif one == ")" and quote == "(":
                    opened.pop()
                elif _HERE.match(text, at):
                    self._judge_here(at)
                    step = len(text) - at  # its quotes are no quotes
                elif one == "#" and word == at:
                    step = (text + "\n").index("\n", at) - at
                if one.isspace() or one in ";&|()":
                    word = at + 1
            out.append(text[at : at + step])
            at += step
        if opened and opened[-1] in "'\"":
            raise InvalidArgument(f"the line {text!r:.80} has a {opened[-1]} that is never closed")
        return "".join(out)

    def _judge_commands(self) -> None:
        try:
            ShellCommands(self._text, self._place, self._numbers).judge()
        except UnsafePlace as fault:
            raise InvalidArgument(
                f"{fault.what} stands {fault.where} in {self._text!r:.120}, where an item could be run as a program; {fault.hint}"
            ) from None

    def _judge_here(self, at: int) -> None:
        """What is behind it on the line is rare, and is refused too."""
        place = self._place.search(self._text, at)
        if place is not None:
            hint = "pipe it instead:  printf '%s\\n' {} | cat"
            self._refuse(place.start(), "in or behind a here-document", hint)

    def _judge(self, match: re.Match[str], quote: str, start: int, word: int) -> None:
        at = match.start()
        if self._text[at - 1 : at] == "$" and quote != "'":
            self._refuse(at, "behind a $")
        if match[0] in self._numbers:
            return
        before = self._text[:word]
        if quote in ("'", '"'):
            end = self._text.find(quote, at)
            inside = self._place.sub("", self._text[start : end if end >= 0 else None])
            if not _ONE_WORD.fullmatch(inside):
                self._refuse(at, "in quotes", AS_PARAMETER if _PROGRAM_NEXT.search(before) else _HINT)

    def _named(self, place: str, quote: str) -> str:
        if place not in self.places:
            self.places.append(place)
        variable = f"${{_tq_{self.places.index(place) + 1}}}"
        return {'"': variable, "'": f"'\"{variable}\"'"}.get(quote, f'"{variable}"')

    def _closed(self, at: int) -> int:
        """Behind an expansion, which is left as it is and may hold no place."""
        text = self._text
        if self._place.match(text, at + 1):
            self._refuse(at + 1, "behind a $")
        opening = next(one for one in _EXPANSIONS if text.startswith(one, at))
        where, deeper, closing, hint = _EXPANSIONS[opening]
        depth, end = opening.count(deeper) if deeper else 1, at + len(opening)
        while depth and end < len(text):
            if text[end] == closing:
                depth -= 1
            elif text[end] == deeper:
                depth += 1
            end += 2 if text[end] == "\\" else 1
        place = self._place.search(text, at + len(opening), end)
        if place is not None:
            self._refuse(place.start(), where, hint)
        if depth:
            raise InvalidArgument(f"the line {text!r:.80} has a {opening} that is never closed")
        return end

    def _refuse(self, at: int, where: str, hint: str = _HINT) -> NoReturn:
        place = self._place.match(self._text, at) or self._place.search(self._text, at)
        shown = place[0] if place else "{}"
        raise InvalidArgument(
            f"{shown} stands {where}, in {self._text!r:.120}, where an item could be run as a program; {hint}"
        )
