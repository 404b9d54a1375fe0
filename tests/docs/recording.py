"""The picture on the first page: ``python -m tests.docs.recording`` runs ``tq demo`` in a terminal and writes docs/demo.svg.

::

    tq demo in a pseudo-terminal ─► [(seconds, output)] ─► Screen ─► frames ─► one SVG: the frames as a strip of film

The picture shows what the demo printed, when it printed it. Only the start of the cluster is cut, and the last frame stands
for some seconds before the film begins again. It stands still for a reader who asked for less motion.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from pathlib import Path

from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "demo.svg"
COLUMNS, ROWS = 80, 20
FRAME_SECONDS = 0.5  # finer would only make the file larger
LAST_SECONDS = 8.0
CELL_WIDTH, LINE_HEIGHT, MARGIN = 8.43, 19, 16  # pixels, of a font of 14
BAR_HEIGHT = 34
PROMPT = "\x1b[1m$ tq demo\x1b[0m"
THEME = TerminalTheme(
    (22, 27, 34),
    (220, 224, 230),
    [(90, 98, 110), (240, 113, 120), (126, 200, 130), (232, 191, 106), (104, 170, 255), (198, 146, 233), (95, 200, 210), (220, 224, 230)],
)  # fmt: skip
CONTROL = re.compile(r"\r|\n|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh]|[^\r\n\x1b]+|\x1b\[[0-9;]*m")

Frame = tuple[str, ...]


class Screen:
    """What stands in a terminal that gets the few controls which a progress bar sends. Lines keep their colours."""

    def __init__(self) -> None:
        self.lines, self._row = [PROMPT, ""], 1

    def write(self, output: str) -> None:
        for part in CONTROL.findall(output):
            if part == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif part == "\x1b[1A":
                self._row -= 1
            elif part == "\x1b[2K":
                self.lines[self._row] = ""
            elif part != "\r" and not part.startswith("\x1b[?"):
                self.lines[self._row] += part


def recorded(*command: str) -> Iterator[tuple[float, str]]:
    """What a command writes to a terminal, with the seconds since its first words."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execv(command[0], command)  # noqa: S606 - the program is ours
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    first, kept = None, b""
    while True:
        try:
            kept += os.read(terminal, 65536)
        except OSError:  # the end, as Linux reports it
            break
        now = time.monotonic()
        first = first or now
        output = kept.decode("utf-8", "ignore")
        kept = kept[len(output.encode()) :]
        yield now - first, output
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}")


def frames_of(recording: Iterator[tuple[float, str]]) -> list[tuple[float, Frame]]:
    """The screens that follow one another, each with the second at which it is first seen."""
    screen = Screen()
    frames: list[tuple[float, Frame]] = [(0.0, (PROMPT,))]
    for at, output in recording:
        screen.write(output)
        seen = tuple(screen.lines)
        if at - frames[-1][0] >= FRAME_SECONDS and seen != frames[-1][1]:
            frames.append((at, seen))
    frames.append((frames[-1][0] + FRAME_SECONDS, tuple(screen.lines)))
    return frames


def picture(frames: list[tuple[float, Frame]]) -> str:
    length = frames[-1][0] + LAST_SECONDS
    rows = max(len(lines) for _, lines in frames)
    width, height = round(COLUMNS * CELL_WIDTH + 2 * MARGIN), rows * LINE_HEIGHT + 2 * MARGIN + BAR_HEIGHT
    steps = [
        f"{100 * at / length:.2f}%{{transform:translateX(-{n * width}px)}}"
        for n, (at, _) in enumerate(frames)
    ]
    last = f"transform:translateX(-{(len(frames) - 1) * width}px)"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
            "<title>A terminal that runs tq demo</title>",
            "<style>",
            'text{font:14px ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#dce0e6}',
            f"@keyframes film{{{''.join(steps)}100%{{{last}}}}}",
            f".film{{animation:film {length:.1f}s steps(1,end) infinite}}",
            f"@media(prefers-reduced-motion:reduce){{.film{{animation:none;{last}}}}}",
            "</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>',
            *(f'<circle cx="{20 + 20 * n}" cy="18" r="6" fill="#3a424d"/>' for n in range(3)),
            f'<svg y="{BAR_HEIGHT}" width="{width}" height="{height - BAR_HEIGHT}"><g class="film">',
            *(
                f'<g transform="translate({n * width + MARGIN} {MARGIN})">{"".join(map(drawn, lines, range(rows)))}</g>'
                for n, (_, lines) in enumerate(frames)
            ),
            "</g></svg>",
            "</svg>\n",
        ]
    )


def drawn(line: str, row: int) -> str:
    """A line of a terminal. Its width is given, so that columns stand below one another in every font."""
    text = Text.from_ansi(line)
    text.rstrip()
    if not text.plain:
        return ""
    pieces = []
    for start, end in runs(text):
        piece = text.plain[start:end]
        style = styled(text, start)
        pieces.append(f"<tspan{style}>{escape(piece)}</tspan>" if style else escape(piece))
    length = f"{len(text.plain) * CELL_WIDTH:.1f}"
    return f'<text y="{(row + 1) * LINE_HEIGHT - 5}" textLength="{length}" lengthAdjust="spacingAndGlyphs">{"".join(pieces)}</text>'


def runs(text: Text) -> Iterator[tuple[int, int]]:
    """Where the style of a line changes."""
    marks = sorted({0, len(text.plain), *(place for span in text.spans for place in (span.start, span.end))})
    yield from pairwise(marks)


def styled(text: Text, place: int) -> str:
    """The attributes of one run: its colour, and whether it is bold."""
    style = Style.combine(
        [Style(), *(Style.parse(str(span.style)) for span in text.spans if span.start <= place < span.end)]
    )
    color = (
        f' fill="{style.color.get_truecolor(THEME).hex}"'
        if style.color and not style.color.is_default
        else ""
    )
    return color + (' font-weight="bold"' if style.bold else "")


def main() -> None:
    program = Path(sys.executable).with_name("tq")
    PICTURE.write_text(picture(frames_of(recorded(str(program), "demo"))), "utf-8")


if __name__ == "__main__":
    main()
