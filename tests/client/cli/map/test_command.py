"""``tq map`` and ``tq exec`` as commands: mistakes are reported before anything is sent."""

from __future__ import annotations

from pathlib import Path

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


def test_the_line_to_go_on_with_names_one_journal() -> None:
    words = ["--journal", "j", "a:b", "--queue", "q", "--resume=k", "--reprint", ":::", "--journal", "x"]
    kept = _without(words, ("--journal", "--resume"), ("--reprint",))
    assert kept == ["a:b", "--queue", "q", ":::", "--journal", "x"]
