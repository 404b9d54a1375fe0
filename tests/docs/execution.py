"""Runs a page: its console sessions in one shell, its Python in one interpreter, both in a directory of its own.

The addresses and the ports that a page names (127.0.0.1:5000, queue.example.org:5000, 0.0.0.0:5000) stand for a port
of the run's own; servers that a page starts in the foreground, as in another terminal, go to the background here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from ..cluster.programs import eventually
from .likeness import likeness, with_ids
from .pages import Block, Command, commands_of

COMMAND_SECONDS = 30.0
ADDRESS = re.compile(r"\b(127\.0\.0\.1|0\.0\.0\.0|localhost|[\w.-]+\.example\.org|MASTER):(\d{4,5})\b")
SERVER = re.compile(
    r"^(?:[A-Z_]+=\S* )*(tq-master|tq-worker|tq dev|python -m http\.server)\b(?!.* (?:check|request|admit|join|--help|--version)\b)"
)
BEHIND = re.compile(r"^(.*[^&])& *([A-Z_]+=\$!)?$", re.DOTALL)
STARTED = re.compile(
    r"master\.started|worker\.connected|worker\.stopped|ready|stop    Ctrl-C|Serving HTTP|Error|see: tq help"
)
FAILURE = re.compile(r"^(tq|tq-master|tq-worker): |^Error: |^Traceback ", re.MULTILINE)
OBITUARY = re.compile(r"^bash: line \d+: +\d+ (Killed|Terminated)")  # at a time of the shell's choice
MARK = "==the-command-is-over=="
INTERPRETER = """
import json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    code, place = json.loads(line)
    try:
        exec(compile(code, place, "exec"), names)
        failure = ""
    except BaseException:
        failure = traceback.format_exc()
    sys.stdout.flush()
    print("\\n" + json.dumps({"failure": failure}), file=sys.__stderr__, flush=True)
"""


class Untrue(AssertionError):
    """The page says something that is not so."""


class Session:
    """One page under way."""

    def __init__(self, home: Path, environment: Mapping[str, str], ports: Mapping[str, int]) -> None:
        self.home, self._environment, self._ports = home, dict(environment), ports
        self._ids: dict[str, str] = {}
        self._logs = 0
        self._python: subprocess.Popen[str] | None = None
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=home, env=self._environment, text=True, bufsize=1,
        )  # fmt: skip
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self, block: Block) -> None:
        if block.note == "file":
            file = self.home / block.detail
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._moved(block.text), "utf-8")
        elif block.language == "console":
            for command in commands_of(block):
                self._run_command(block, command)
        elif block.language == "python":
            self._run_python(block)

    # the shell

    def _run_command(self, block: Block, command: Command) -> None:
        text = with_ids(self._moved(command.text), self._ids)
        place = f"{block.page}:{command.line}: $ {command.text}"
        behind = BEHIND.match(text)
        if SERVER.match(text) or behind:
            program, remembered = (behind[1], behind[2] or "") if behind else (text, "")
            printed, status = self._start(program.strip(), remembered), 0
        else:
            printed, status = self._ask(text)
        shown = self._moved(command.output)
        if status != 0 and not FAILURE.search(shown):
            raise Untrue(f"{place}\nended with status {status}; it printed:\n{printed}")
        if shown.strip():
            ids = likeness(with_ids(shown, self._ids), printed)
            if ids is None:
                raise Untrue(f"{place}\n--- the page shows\n{shown}\n--- it printed\n{printed}")
            self._ids.update(ids)

    def _ask(self, text: str) -> tuple[str, int]:
        """What a command prints, and its status."""
        self._say(f'{{\n{text}\n}} </dev/null; echo "\n{MARK} $?"')
        lines: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=COMMAND_SECONDS)
            except Empty:
                raise Untrue(
                    f"$ {text}\nis not over after {COMMAND_SECONDS:g} s:\n{''.join(lines)}"
                ) from None
            if line.startswith(MARK):
                return "".join(lines).removesuffix("\n"), int(line.split()[1])
            if not OBITUARY.match(line):
                lines.append(line)

    def _start(self, text: str, remembered: str) -> str:
        """Start a program behind; what a server printed by the time it was ready."""
        self._logs += 1
        log = self.home / f".log-{self._logs}"
        self._say(f"</dev/null >{shlex.quote(str(log))} 2>&1 {text} & {remembered}")
        if not SERVER.match(text):
            return ""
        eventually(lambda: log.exists() and STARTED.search(log.read_text("utf-8")), COMMAND_SECONDS)
        printed = log.read_text("utf-8")
        if "see: tq help" in printed or "Error" in printed:
            raise Untrue(f"$ {text}\ndid not start:\n{printed}")
        return printed

    def _say(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text + "\n")
        self._shell.stdin.flush()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            self._lines.put(line)

    # Python

    def _run_python(self, block: Block) -> None:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                cwd=self.home, env={**self._environment, **self._exported()}, text=True,
            )  # fmt: skip
        assert self._python.stdin is not None
        assert self._python.stderr is not None
        self._python.stdin.write(json.dumps([self._moved(block.text), block.place]) + "\n")
        self._python.stdin.flush()
        written = []
        for line in self._python.stderr:
            if line.startswith('{"failure": '):
                failure = json.loads(line)["failure"]
                if failure:
                    raise Untrue(f"{block.place}\n{failure}")
                return
            written.append(line)
        raise Untrue(f"{block.place}\nthe interpreter died:\n{''.join(written)}")

    def _exported(self) -> dict[str, str]:
        """What the page has exported so far: the next terminal would have it too."""
        lines = self._ask("env | grep ^TQ_")[0].splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    # both

    def _moved(self, text: str) -> str:
        """The page's addresses as those of this run; a page means one master by all its names."""
        text = ADDRESS.sub(lambda found: f"127.0.0.1:{self._port(found[2])}", text)
        text = re.sub(r"^tq dev(?= \w)", f"tq dev --port {self._port('dev')}", text)
        return re.sub(r"(?<=http\.server )\d+", lambda found: str(self._port(found[0])), text)

    def _port(self, named: str) -> int:
        return self._ports[named] if named in self._ports else int(named)

    def close(self) -> None:
        family = psutil.Process(self._shell.pid).children(recursive=True)
        for process in (self._shell, self._python):
            if process is not None:
                process.kill()
                process.wait()
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, 10)
        for process in (self._shell, self._python):
            for pipe in (process.stdin, process.stdout, process.stderr) if process else ():
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def here(ports: Mapping[str, int]) -> dict[str, str]:
    """The addresses that the programs take when a page names none."""
    return dict.fromkeys(("TQ_BIND", "TQ_CONNECT"), f"127.0.0.1:{ports['5000']}")


@contextlib.contextmanager
def session(home: Path, environment: Mapping[str, str], ports: Mapping[str, int]) -> Iterator[Session]:
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ.get("PATH", "")])
    opened = Session(home, {**environment, "PATH": path, "PYTHONPATH": str(home), **here(ports)}, ports)
    try:
        yield opened
    finally:
        opened.close()
