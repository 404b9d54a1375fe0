"""``tq map`` and ``tq exec`` as commands: mistakes are reported before anything is sent."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tq.client.cli import main
from tq.client.cli.map.command import _without

USAGE = 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["map", "no_colon"], "is not a task's name"),
        (["map", "a:b", "--csv", "--jsonl"], "exclude each other"),
        (["map", "a:b", "--star"], "--star needs --jsonl"),
        (["map", "a:b", "--as-dict"], "--as-dict needs --csv"),
        (["map", "a:b", "--priority", "1000"], "out of range"),
        (["map", "a:b", "--resume", "nowhere"], "there is no journal nowhere; begin one with --journal"),
        (["map", "a:b", "--retry-failed"], "need --resume"),
        (["map", "a:b", "--journal", "j", "--resume", "j"], "leave --journal away"),
        (["map", "a:b", "--keep-going", "--max-failures", "1"], "exclude each other"),
        (["map", "a:b", "::::", "nowhere"], "cannot read nowhere: No such file"),
        (["map", "a:b", "::::", "."], "cannot read .: it is a directory"),
        (["map", "a:b", ":::", "1", ":::", "2"], "one ::: or :::: only"),
        (["map", "a:b", "--retries", "2", "1", "a b"], "'1'; items are lines of standard input, or"),
        (["map", "a:b", "1", "a b"], "tq map a:b ::: 1 'a b'"),
        (["map", "a:b", "--journal", "/proc/x", ":::", "1"], "cannot write the journal"),
        (
            ["exec", "echo", ":::", "a", "b c", "--queue", "x"],
            "--queue behind ::: would be an item; options stand in front: tq exec --queue x echo ::: a 'b c'\n"
            "If it is meant as an item: ::: -- --queue …",
        ),
        (["exec", "echo", ":::", "-k", *"abcde"], "in front: tq exec -k echo ::: a b c …"),
        (["map", "a:b", ":::", "1", "--retries=2", "--json"], "tq map --retries=2 --json a:b ::: 1"),
        (["map", "a:b", "::::", "f", "--queue"], "--queue behind :::: would be an item"),
        (["exec"], "Missing argument"),
        (["exec", "", ":::", "1"], "there is no command"),
        (["exec", "'open", ":::", "1"], "cannot be taken apart"),
        (["exec", "--env", "A", "true", ":::", "1"], "write --env NAME=VALUE"),
    ],
)
def test_a_wrong_command_is_reported(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"TQ_URL": "tq://127.0.0.1:9", "TQ_AUTHKEY": "x" * 20, "HOME": str(tmp_path)}
    done = CliRunner().invoke(main, arguments, prog_name="tq", env=environment)
    assert (done.exit_code, done.stdout) == (USAGE, "")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "items"),
    [
        (["-5", "--not-one-of-tq", "-", "--json=1", ""], ["-5", "--not-one-of-tq", "-", "--json=1", ""]),
        (["--", "--queue", "x"], ["--queue", "x"]),
        (["--", "--", "a"], ["--", "a"]),
        (["a", "--"], ["a", "--"]),
        (["--"], []),
    ],
)
def test_an_item_may_begin_with_a_dash_and_be_an_option_if_that_is_said(
    written: list[str], items: list[str]
) -> None:
    command = main.get_command(click.Context(main), "map")
    assert command is not None
    with command.make_context("map", ["a:b", ":::", *written]) as context:
        assert context.meta["tq.items"] == items


def test_the_line_to_go_on_with_names_one_journal() -> None:
    words = ["--journal", "j", "a:b", "--queue", "q", "--resume=k", "--reprint", ":::", "--journal", "x"]
    kept = _without(words, ("--journal", "--resume"), ("--reprint",))
    assert kept == ["a:b", "--queue", "q", ":::", "--journal", "x"]
