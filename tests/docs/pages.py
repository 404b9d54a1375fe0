"""What a page of documentation holds to run: its fenced blocks, and what the comments above them say. Pure.

::

    <!-- not run: needs docker -->     the block is shown only; the reason is one of a few
    <!-- file: jobs.py -->             the block is written to that file
    <!-- before                        not shown, but run: what the next block takes for granted
    $ tq submit jobs:square 7
    -->
    ```{eval-rst}                      for the site only, and no block of the page
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN = ("console", "python")
READ = ("toml", "ini", "yaml", "json")
SHOWN = ("", "text", "dockerfile", "markdown", "csv", "sql")
_FENCE = re.compile(r"^( *)```(\w*|\{[\w-]+\})\s*$")
_COMMENT = re.compile(r"^ *<!-- (not run|file): (.+?) -->$")
_BEFORE = re.compile(r"^<!-- before(?: (python))?$")


@dataclass(frozen=True, kw_only=True)
class Block:
    page: str
    line: int  # of its first line of text
    language: str
    text: str
    note: str = ""  # "not run", "file" or ""
    detail: str = ""  # why not, or the file's name
    hidden: bool = False

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.note == "" and self.language in RUN


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a console session and what it is said to print."""

    line: int
    text: str
    output: str


def blocks_of(page: str, text: str) -> list[Block]:
    found: list[Block] = []
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        if opening := _FENCE.match(lines[index]):
            end = _end(lines, index + 1, f"{opening[1]}```")
            if opening[2].startswith("{"):
                index = end + 1
                continue
            body = [line.removeprefix(opening[1]) for line in lines[index + 1 : end]]
            above = _COMMENT.match(lines[index - 1]) if index else None
            note, detail = (above[1], above[2]) if above else ("", "")
            found.append(
                Block(
                    page=page, line=index + 2, language=opening[2], text="\n".join(body) + "\n",
                    note=note, detail=detail,
                )
            )  # fmt: skip
            index = end
        elif before := _BEFORE.match(lines[index]):
            end = _end(lines, index + 1, "-->")
            body = lines[index + 1 : end]
            language = before[1] or "console"
            found.append(
                Block(page=page, line=index + 2, language=language, text="\n".join(body) + "\n", hidden=True)
            )
            index = end
        index += 1
    return found


def _end(lines: list[str], start: int, mark: str) -> int:
    return next((n for n in range(start, len(lines)) if lines[n].rstrip() == mark), len(lines))


def commands_of(block: Block) -> list[Command]:
    """The commands of a console session; lines after ``$ `` are what the last of them prints."""
    found: list[Command] = []
    continued = False
    for offset, line in enumerate(block.text.splitlines()):
        last = found[-1] if found else None
        if continued and last is not None:
            text = f"{last.text}\n{line.removeprefix('> ')}"
            found[-1] = Command(line=last.line, text=text, output="")
            continued = text.endswith("\\")
        elif line.startswith("$ "):
            found.append(Command(line=block.line + offset, text=line[2:], output=""))
            continued = line.endswith("\\")
        elif last is not None:
            found[-1] = Command(line=last.line, text=last.text, output=f"{last.output}{line}\n")
    return found


ROOT = Path(__file__).resolve().parents[2]


def documents() -> list[str]:
    """The pages whose blocks must be true."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in pages]


def read_page(page: str) -> list[Block]:
    return blocks_of(page, (ROOT / page).read_text("utf-8"))
