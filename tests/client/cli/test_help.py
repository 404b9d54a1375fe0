"""Every help screen of every command: it is one screen of 80 × 24 and shows an example."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from tq.client.cli import SECTIONS
from tq.client.cli import main as tq_main
from tq.client.cli.group import LEFT_COLUMNS

from ...docs.reference import help_of, programs, walk

COLUMNS, LINES = 80, 24


EVERY = [pair for name, program in programs().items() for pair in walk(name, program)]


def test_a_help_screen_fits_a_terminal() -> None:
    for path, _ in EVERY:
        lines = help_of(path).splitlines()
        wide = [line for line in lines if len(line) > COLUMNS]
        assert not wide, f"{path} --help is wider than {COLUMNS} columns; shorten: {wide}"
        assert len(lines) <= LINES, (
            f"{path} --help has {len(lines)} lines, a terminal {LINES}: shorten the sentences so that an option takes "
            "one line, say in docs/ what is not needed at a glance, hide=True what is only for scripts"
        )


def test_a_help_screen_shows_an_example() -> None:
    for path, _ in EVERY:
        text = help_of(path)
        assert f"Example: {path.split()[0]}" in text, (
            f"{path} --help ends without an example: @click.command(epilog='Example: {path} …')"
        )


def test_every_option_is_explained() -> None:
    for path, command in EVERY:
        silent = [one.opts[0] for one in command.params if isinstance(one, click.Option) and not one.help]
        assert not silent, f"{path}: say help='…' for {', '.join(silent)}"


def test_every_command_of_tq_has_one_line_of_its_section() -> None:
    room = {True: LEFT_COLUMNS, False: COLUMNS - LEFT_COLUMNS - 1}
    names = {name for part in SECTIONS.values() for name in part}
    for index, (title, commands) in enumerate(SECTIONS.items()):
        for name, (_, summary) in commands.items():
            columns = 2 + max(map(len, names)) + 2 + len(summary)
            assert columns <= room[index % 2 == 0], f"{title}: {name}: shorten {summary!r}"


def test_the_help_of_tq_names_every_command() -> None:
    text = help_of("tq")
    assert all(f"  {name} " in text for part in SECTIONS.values() for name in part)


# misspelt commands


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["submti"], "did you mean submit?"),
        (["worker"], "did you mean workers?"),
        (["zzzzzz"], "tq --help lists them"),
        (["keys", "lits"], "did you mean list?"),
    ],
)
def test_a_misspelt_command_is_answered_with_the_nearest(words: list[str], answer: str) -> None:
    done = CliRunner().invoke(tq_main, words, prog_name="tq")
    assert done.exit_code == 2
    assert f"there is no command '{words[-1]}'" in done.output
    assert answer in done.output


# colours


def printed_on_a_terminal(*command: str, **environment: str) -> str:
    """What a program writes when it believes that a person looks."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(its)
    written = b""
    try:
        while chunk := os.read(ours, 4096):
            written += chunk
    except OSError:  # Linux says so when the last writer is gone
        pass
    os.close(ours)
    process.wait(20)
    return written.decode()


TABLE = """
from tq.client.cli.output import print_table
from tq.common.domain.model import State
print_table(("id", "state"), [("1", State.FAILED)], empty="")
"""


def test_a_table_is_coloured_for_a_person() -> None:
    assert "\x1b[" in printed_on_a_terminal(sys.executable, "-c", TABLE)


def test_no_color_turns_colours_off() -> None:
    shown = printed_on_a_terminal(sys.executable, "-c", TABLE, NO_COLOR="1")
    assert "failed" in shown
    assert "\x1b[3" not in shown


def test_nothing_is_coloured_in_a_pipe() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TABLE], capture_output=True, text=True, check=True, timeout=30
    )
    assert "failed" in done.stdout
    assert "\x1b" not in done.stdout


# completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_gets_its_completion(shell: str) -> None:
    environment = {**os.environ, "_TQ_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", "from tq.client.cli import main; main(prog_name='tq')"],
        env=environment, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert "_TQ_COMPLETE" in done.stdout
    assert "tq" in done.stdout


def test_an_option_of_the_commands_in_front_of_them_is_answered_with_where_it_stands() -> None:
    for option in ("--url=tq://a:5000", "--authkey-file"):
        refused = CliRunner().invoke(tq_main, [option, "ls"])
        name = option.partition("=")[0]
        assert f"{name} stands behind the command, as in: tq ls {name} …" in refused.output
