"""Where a placeholder is safe among the words of a command: only as an argument of a named program. Pure.

An item is text that others chose. Most programs treat an argument as data, which is harmless; a shell, ``eval`` or ``awk``
runs some of its arguments as code. So only places known to be plain arguments are accepted, and all others are refused with
the line to write instead. What a program unknown to this module does with its arguments is the user's responsibility.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

AS_PARAMETER: Final = "give it as a parameter:  sh -c 'wc -c \"$1\"' sh {}"

SHELLS: Final = re.compile(r"(?:(?:ba|da|k|z|a|mk|fi|c|tc|rba|pdk|ya)?sh|busybox|toybox)[\d.-]*")
INTERPRETERS: Final = re.compile(
    r"(?:python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|luajit|tclsh|wish|expect|Rscript|guile|[gmn]?awk|g?sed|osascript)[\d.]*"
)
# These read their words, or what is said to them, as commands, and have no word in which an item is safe.
TAKERS: Final = frozenset(
    {"eval", "trap", "xargs", "parallel", "su", "runuser", "ssh", "rsh", "script", "watch", "flock", "at", "batch", "let", "alias"}
    | {"declare", "typeset", "coproc", "fc", "enable", "bind", "complete", "compgen", "select", "function", "[[", "."}
    | {"source", "mapfile", "readarray", "screen", "tmux", "entr", "make", "gmake"}
)  # fmt: skip
NEVER: Final = frozenset(
    {"eval", "let", "declare", "typeset", "coproc", "select", "function", "[[", "fc", "bind"}
)  # in a line for a shell: they find values of the line by name
# Of a shell itself: they take names of variables, which may hold a program: a[$(…)].
NAME_TAKERS: Final = frozenset(
    {"read", "unset", "export", "readonly", "local", "getopts", "wait", "hash", "type", "ulimit", "umask", "shopt", "jobs", "bg"}
    | {"fg", "disown", "builtin", "caller", "dirs", "pushd", "popd", "history", "logout", "suspend", "print", "integer", "float"}
)  # fmt: skip
# The first word behind their options is a command. Those of their options that take no value:
WRAPPERS: Final[dict[str, frozenset[str]]] = {
    "env": frozenset({"-i", "-"}),
    "nice": frozenset(),
    "nohup": frozenset(),
    "time": frozenset({"-p", "-v"}),
    "timeout": frozenset({"--foreground", "--preserve-status", "-v"}),
    "command": frozenset({"-p"}),
    "exec": frozenset(),
    "setsid": frozenset({"-f", "-w"}),
    "stdbuf": frozenset({"-oL", "-eL", "-o0", "-e0", "-i0"}),
    "ionice": frozenset(),
    "chrt": frozenset(),
    "taskset": frozenset(),
    "sudo": frozenset({"-n", "-E", "-H"}),
    "doas": frozenset({"-n"}),
    "chroot": frozenset(),
}
ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
OWN_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*=")  # no variable that a shell or a loader acts on
_NUMBER: Final = re.compile(r"-?[\d.]+[smhd]?")
_SPLITS: Final = re.compile(r"-\w*S.*|--split-string.*")
_VARIABLE: Final = re.compile(r"\"?\$\{?\w+\}?\"?")
_RUNS_NEXT: Final = re.compile(r"-(?:exec|ok)(?:dir)?")
_CODE_OPTION: Final = re.compile(r"-\w*[ceEfrR]|--(?:eval|exec\w*|expression|command|print|run)")
_USUAL: Final = re.compile(r"/(?:usr/)?(?:local/)?s?bin/")  # where well-known programs are installed


class Word(NamedTuple):
    """``text``: without its quotes. ``place``: the first one in it that may hold an item, as it is written. ``is_plain``: it
    is what it says, with nothing that is filled in or expanded."""

    text: str
    place: str = ""
    is_plain: bool = True
    raw: str = ""


class UnsafePlace(Exception):
    """``args``: the place or word, where it stands, and what to write."""

    def __init__(self, what: str, where: str, hint: str = AS_PARAMETER) -> None:
        super().__init__(what, where, hint)
        self.what, self.where, self.hint = what, where, hint


def judge(words: Sequence[Word], *, in_line: bool) -> None:
    """One command. Raises UnsafePlace. ``in_line``: of a line for a shell that has places, where a value may reach it through a
    variable or a pipe: then it is judged also if no place is among its words."""
    # No item can reach it, and what the user writes is the user's own affair.
    if not words or not (in_line or any(word.place for word in words)):
        return
    head, rest = words[0], words[1:]
    if head.place:
        raise UnsafePlace(head.place, "as the name of a program")
    if not head.is_plain:
        raise UnsafePlace(
            head.raw or head.text, "as the name of a program", "write the name of the program itself"
        )
    name = _name(head)
    if name in WRAPPERS:
        _judge_wrapped(name, rest, in_line)
    elif SHELLS.fullmatch(name):
        _judge_shell(head, rest, in_line)
    elif name in TAKERS:
        _judge_taker(name, rest, in_line)
    elif INTERPRETERS.fullmatch(name):
        _judge_interpreter(name, rest, in_line)
    elif name in NAME_TAKERS:
        _judge_names(name, rest, in_line)
    elif name in ("test", "[", "printf") and in_line:
        if any(word.text in ("-v", "-R") for word in rest):
            raise UnsafePlace(f"{name} -v", "where the name of a variable is run")
    elif name == "set" and in_line:
        if any(word.place or not word.is_plain for word in rest) and rest[0].text != "--":
            raise UnsafePlace(_first(rest), "among options of the shell", "write  set -- {}")
    else:
        _judge_others(rest, in_line)


def _judge_others(words: Sequence[Word], in_line: bool) -> None:
    """Arguments of a program: no shell is among them, and no item where a command is expected."""
    for at, word in enumerate(words):
        # `find . -exec sh -c …`: a program that starts a shell by its arguments.
        if _is_shell(word) and _has_item(words[at + 1 :]):
            _judge_shell(word, words[at + 1 :], in_line)
        if (
            at
            and (word.place or (in_line and not word.is_plain))
            and _RUNS_NEXT.fullmatch(words[at - 1].text)
        ):
            raise UnsafePlace(word.place or word.raw, "as the name of a program")


def _judge_wrapped(name: str, words: Sequence[Word], in_line: bool) -> None:
    at = 0
    after_option = False
    while at < len(words):
        word = words[at]
        if name == "env" and _SPLITS.fullmatch(word.text):
            raise UnsafePlace(_first(words), "behind env -S, which takes its word apart")
        if ASSIGNMENT.match(word.text):
            if word.place and not OWN_NAME.match(word.text):
                raise UnsafePlace(
                    word.place, "in a variable that programs may act on", "use a name of lower case letters"
                )
        elif word.text.startswith("-") and word.is_plain:
            after_option = (
                word.text not in WRAPPERS[name] and not _NUMBER.fullmatch(word.text) and "=" not in word.text
            )
            at += 1
            continue
        elif not (_NUMBER.fullmatch(word.text) and word.is_plain):
            break
        after_option = False
        at += 1
    judge(words[at:], in_line=in_line)
    if after_option:  # it may be the value of that option, and the command behind it
        judge(words[at + 1 :], in_line=in_line)


def _judge_shell(shell: Word, words: Sequence[Word], in_line: bool) -> None:
    """Only ``sh -c 'program' name item …`` and ``sh script item …``, with a program and a script that are plain."""
    where = f"in a program for a shell, {shell.text},"
    at = 0
    while at < len(words) and words[at].is_plain and re.match(r"[-+]\w", words[at].text):
        option = words[at].text
        if re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", option):
            # -o takes the next word, so which word is the program cannot be said.
            if re.search("[oO]", option) or at + 1 >= len(words) or not _is_operand(words[at + 1]):
                raise UnsafePlace(_first(words), where)
            return
        # -s reads the program from standard input, which may be items.
        if "s" in option.lstrip("-+") and not option.startswith("--"):
            raise UnsafePlace(_first(words), where)
        at += 2 if re.fullmatch(r"[-+][A-Za-z]*[oO]", option) else 1
    if at >= len(words) or not _is_operand(words[at]):
        raise UnsafePlace(_first(words) or shell.text, where)
    # busybox sh …: the word behind it names the program that it is.
    if shell.text.endswith("box"):
        judge(words[at:], in_line=in_line)


def _judge_taker(name: str, words: Sequence[Word], in_line: bool) -> None:
    if in_line and name in NEVER:
        raise UnsafePlace(name, "in a line with places", AS_PARAMETER)
    if any(word.place for word in words):
        raise UnsafePlace(_first(words), f"behind {name}, which runs its words")
    if in_line and name in ("xargs", "parallel", "ssh", "su"):
        if name == "xargs":  # its first word that is no option is a program
            operand = next((at for at, word in enumerate(words) if _is_operand(word)), len(words))
            unknown = [word for word in words[:operand] if not word.is_plain]
        else:
            unknown = [word for word in words if not word.is_plain]
        if unknown or any(map(_is_shell, words)):
            raise UnsafePlace(name, "in a line with places", AS_PARAMETER)
    elif in_line and not all(word.is_plain for word in words):
        raise UnsafePlace(name, "in a line with places", AS_PARAMETER)


def _judge_interpreter(name: str, words: Sequence[Word], in_line: bool) -> None:
    """A place behind the program, or the file that it is in."""
    is_behind = is_settled = False  # a word came that may be it; that certainly is it
    for at, word in enumerate(words):
        before = words[at - 1].text if at else ""
        is_code = bool(_CODE_OPTION.fullmatch(before))
        if word.place and not is_settled and (not is_behind or is_code or word.text.startswith("-")):
            raise UnsafePlace(word.place, f"in a program for {name}")
        if in_line and not is_settled and _VARIABLE.fullmatch(word.raw) and (is_code or not is_behind):
            raise UnsafePlace(word.raw, f"in a program for {name}")
        if not (word.place or word.text.startswith("-") or _VARIABLE.fullmatch(word.raw)):
            is_behind = True
            is_settled = is_settled or is_code or not before.startswith("-") or before == "-m"


def _judge_names(name: str, words: Sequence[Word], in_line: bool) -> None:
    if not in_line:
        return
    for word in words:
        if not word.is_plain and not (ASSIGNMENT.match(word.raw) and not word.place):
            raise UnsafePlace(
                word.place or word.raw,
                f"behind {name}, as the name of a variable",
                "assign it first:  x={}; export x",
            )


def _name(head: Word) -> str:
    """The name of the started program; ``./script`` is the user's own program, even if it has a known name."""
    folder, slash, name = head.text.rpartition("/")
    known = SHELLS.fullmatch(name) or INTERPRETERS.fullmatch(name) or _USUAL.fullmatch(folder + slash)
    return name if known or not slash else head.text


def _is_shell(word: Word) -> bool:
    return word.is_plain and SHELLS.fullmatch(word.text.rpartition("/")[2]) is not None


def _is_operand(word: Word) -> bool:
    return word.is_plain and not word.text.startswith(("-", "+"))


def _has_item(words: Sequence[Word]) -> bool:
    return any(word.place or not word.is_plain for word in words)


def _first(words: Sequence[Word]) -> str:
    return next((word.place for word in words if word.place), "") or next(
        (word.raw or word.text for word in words), ""
    )
