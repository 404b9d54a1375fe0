"""Splits a line for ``/bin/sh`` into its commands and validates each with ``code_takers.py``. Pure.

This reads as much of the shell's grammar as lines for many items need: lists, pipes, subshells, ``$(…)``, ``if``, ``for``,
``while``, ``case``, functions, redirections and here-documents. Anything else is refused: the check would be worthless if
it read a line differently from ``/bin/sh``.
"""

from __future__ import annotations

import re
from typing import Final

from .code_takers import ASSIGNMENT, OWN_NAME, UnsafePlace, Word, judge

RESERVED: Final = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "fi", "done", "time"}
)
SIMPLER: Final = "write it more simply, or as a script:  sh -c '…' sh {}"
_SPECIAL: Final = " \t\n;&|<>()"
_GLOBS: Final = "*?[]{}"
_NAME: Final = re.compile(r"[A-Za-z_]\w*|[\d@*#?$!-]")
_VALUE: Final = re.compile(r"\$\{#?(?:\w+|[@*#?$!-])\}|\$\{\w+(?:(?::?[-=+?])|%%?|##?)(?:[^`${}\\]|\$\w+)*\}")
_ARITHMETIC: Final = re.compile(r"\$\(\([\d\s+*/%<>&|^~!?:().,-]*\)\)")
_HERE: Final = re.compile(r"<<(-?)[ \t]*(['\"]?)(\w+)\2")
_REDIRECTION: Final = re.compile(r"[<>]{1,2}[&|]?")
_FUNCTION: Final = re.compile(r"\([ \t]*\)")
_LISTED: Final = Word("echo")  # what is listed behind ``for`` is judged as its arguments are


class ShellCommands:
    """``place``: what a place looks like; ``numbers``: those that hold a number, which is harmless."""

    def __init__(self, text: str, place: re.Pattern[str], numbers: frozenset[str]) -> None:
        self._text, self._place, self._numbers = text, place, numbers
        self._at = 0
        self._here: list[tuple[str, str, str]] = []  # here-documents whose text begins with the next line

    def judge(self) -> None:
        """All of them; raises UnsafePlace."""
        self._list("")

    def _list(self, closing: str) -> None:
        """Commands up to ``closing``."""
        text, words, cases, in_pattern = self._text, list[Word](), 0, False
        is_redirected = False  # before its first word: then no word is reserved
        while self._at < len(text):
            one = text[self._at]
            # A backslash before the end of a line joins the lines.
            if one in " \t" or text.startswith("\\\n", self._at):
                self._at += 1 if one in " \t" else 2
            elif one == "#":
                self._at = (text + "\n").index("\n", self._at)
            elif one in "\n;&|":
                if not in_pattern:
                    self._end(words)
                words, is_redirected = [], False
                # Behind ;; the next pattern begins, whose ) closes nothing.
                in_pattern = in_pattern or (cases > 0 and text.startswith((";;", ";&"), self._at))
                self._at += 1
                if one == "\n":
                    self._pass_here_documents()
            elif one == "(" and in_pattern:
                self._at += 1
            elif one == "(":
                self._open(words)
                words = []
            elif one == ")":
                self._at += 1
                if in_pattern:
                    words, in_pattern = [], False
                elif closing:
                    self._end(words)
                    return
                else:
                    raise UnsafePlace(")", "where none is expected", SIMPLER)
            elif one in "<>":
                self._redirect()
                is_redirected = True
            else:
                word = self._word()
                # `>file if` runs a program named if, which shells take in different ways.
                if is_redirected and not words and word.raw in {*RESERVED, "case", "esac", "for"}:
                    raise UnsafePlace(word.raw, "behind a redirection", SIMPLER)
                opened = self._add(word, words)
                cases += opened
                in_pattern = opened > 0 or (in_pattern and opened == 0)
        self._end(words)
        if closing:
            raise UnsafePlace("(", "without its end", SIMPLER)

    def _add(self, word: Word, words: list[Word]) -> int:
        """The next word of a command; how many more cases are open."""
        # Quoted or behind a word, none is reserved.
        if words or word.place or word.raw != word.text:
            words.append(word)
        elif word.raw in RESERVED:
            pass
        elif word.raw.startswith("-"):  # time -p, behind which is a whole pipeline
            raise UnsafePlace(word.raw, "where a program is expected", SIMPLER)
        elif word.raw == "case":
            self._blanks()
            self._word()
            self._expect("in")
            return 1
        elif word.raw == "esac":
            return -1
        elif word.raw == "for":
            self._blanks()
            name = self._word()
            # `for PATH in {}` would have items choose the programs.
            if not re.fullmatch("[a-z_][a-z0-9_]*", name.raw):
                raise UnsafePlace(name.raw, "as a variable", "use a name of lower case letters")
            self._blanks()
            if self._text.startswith("in", self._at):
                self._expect("in")
                words.append(_LISTED)
        else:
            words.append(word)
        return 0

    def _expect(self, keyword: str) -> None:
        self._blanks()
        if self._word().raw != keyword:
            raise UnsafePlace(keyword, "missing", SIMPLER)

    def _blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t\n":
            self._at += 1

    def _open(self, words: list[Word]) -> None:
        """A subshell, or the ``()`` of a function."""
        text = self._text
        if text.startswith("((", self._at):
            raise UnsafePlace("((", "where the shell calculates", "calculate with a program:  expr {} + 1")
        function = _FUNCTION.match(text, self._at)
        if words and not (function and len(words) == 1 and words[0].is_plain):
            raise UnsafePlace("(", "behind a word", SIMPLER)
        if words and function:
            self._at = function.end()
            return
        self._at += 1
        self._list(")")

    def _end(self, words: list[Word]) -> None:
        """A command is whole."""
        # Assignments in front of a command go into its environment.
        while words and ASSIGNMENT.match(words[0].raw):
            word = words.pop(0)
            if word.place and not OWN_NAME.match(word.raw):
                raise UnsafePlace(
                    word.place,
                    "in a variable that programs may act on",
                    "use a name of lower case letters:  x={}",
                )
        judge(words, in_line=True)

    def _redirect(self) -> None:
        text = self._text
        if here := _HERE.match(text, self._at):
            self._here.append((here[1], here[2], here[3]))
            self._at = here.end()
            return
        match = _REDIRECTION.match(text, self._at)
        if match is None or match[0].startswith("<<") or text.startswith("(", match.end()):
            raise UnsafePlace(text[self._at : self._at + 3], "where a program's text may follow", SIMPLER)
        self._at = match.end()
        while text.startswith((" ", "\t"), self._at):
            self._at += 1
        self._word()

    def _pass_here_documents(self) -> None:
        text = self._text
        for dash, quote, word in self._here:
            while self._at < len(text):
                end = (text + "\n").index("\n", self._at)
                line = text[self._at : end]
                self._at = end + 1
                if (line.lstrip("\t") if dash else line) == word:
                    break
                # With an unquoted end the shell expands the text, as in double quotes.
                if not quote and re.search(r"\$[({]|`", line):
                    raise UnsafePlace(line[:40], "in a here-document", f"quote its end:  <<'{word}'")
        self._here.clear()
        self._at = min(self._at, len(text))

    # words

    def _word(self) -> Word:
        text, start = self._text, self._at
        said, place, is_plain = "", "", True
        while self._at < len(text) and text[self._at] not in _SPECIAL:
            one = text[self._at]
            # First: a place may begin with a character that means something to the shell.
            if match := self._place.match(text, self._at):
                said += match[0]
                place, is_plain = self._noted(place, match[0]), False
                self._at = match.end()
            elif one == "\\":
                said += text[self._at + 1 : self._at + 2].replace("\n", "")
                self._at += 2
            elif one == "'":
                end = text.find("'", self._at + 1)
                if end < 0:
                    raise UnsafePlace("'", "without its end", SIMPLER)
                inside = text[self._at + 1 : end]
                for match in self._place.finditer(inside):
                    place, is_plain = self._noted(place, match[0]), False
                said += inside
                self._at = end + 1
            elif one == '"':
                said, place, is_plain = self._quoted(said, place, is_plain)
            elif one in "$`":
                said += self._value()
                is_plain = False
            else:
                is_plain = is_plain and (
                    one not in _GLOBS or text[start : self._at + 1] in ("[", "{", "}", "]", "[[")
                )
                said += one
                self._at += 1
        if self._at == start:
            raise UnsafePlace(text[start : start + 1], "where a word is expected", SIMPLER)
        return Word(said, place, is_plain, text[start : self._at])

    def _quoted(self, said: str, place: str, is_plain: bool) -> tuple[str, str, bool]:
        text = self._text
        self._at += 1
        while not text.startswith('"', self._at):
            if self._at >= len(text):
                raise UnsafePlace('"', "without its end", SIMPLER)
            if match := self._place.match(text, self._at):
                said += match[0]
                place, is_plain = self._noted(place, match[0]), False
                self._at = match.end()
            elif text[self._at] == "\\":
                said += text[self._at : self._at + 2]
                self._at += 2
            elif text[self._at] in "$`":
                said += self._value()
                is_plain = False
            else:
                said += text[self._at]
                self._at += 1
        self._at += 1
        return said, place, is_plain

    def _noted(self, before: str, place: str) -> str:
        return before or ("" if place in self._numbers else place)

    def _value(self) -> str:
        """Something that is filled in: its text."""
        text, start = self._text, self._at
        if text.startswith("`", start):
            raise UnsafePlace("`", "in a line with places", 'write $(…):  echo "$(wc -c {})"')
        if text.startswith("$((", start):
            match = _ARITHMETIC.match(text, start)
            if match is None:
                raise UnsafePlace(
                    "$((", "where the shell calculates", "calculate with a program:  expr {} + 1"
                )
        elif text.startswith("$(", start):
            self._at += 2
            self._list(")")
            return text[start : self._at]
        elif text.startswith("${", start):
            match = _VALUE.match(text, start)
            if match is None:
                raise UnsafePlace(text[start : start + 20], "in a line with places", SIMPLER)
        elif text.startswith(("$'", '$"', "$["), start):
            raise UnsafePlace(text[start : start + 2], "in a line with places", SIMPLER)
        else:
            match = _NAME.match(text, start + 1)
        self._at = match.end() if match else start + 1
        return text[start : self._at]
