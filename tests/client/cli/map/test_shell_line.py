"""Lines for a shell with places, run by real shells: an item is a word wherever it may stand, and runs nowhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tq.client.cli.map.template import Template
from tq.common.errors import InvalidArgument

SHELLS = [found for name in ("sh", "dash", "bash") if (found := shutil.which(name))]
HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "' ; touch pwned ; '",
    '" ; touch pwned ; "',
    "'\"$(touch pwned)\"'",
    "a\ntouch pwned\n",
    "EOF\ntouch pwned\n",
    "${x:=$(touch pwned)}",
    "a[$(touch pwned)]",
    "\\",
    "-n",
    "* ~ $HOME",
]


def output(shell: str, line: str, item: str, folder: Path) -> str:
    """What a real shell prints for it; nothing else may have happened."""
    _, *rest = Template([line], for_shell=True).fill(item, 7)
    done = subprocess.run([shell, *rest], capture_output=True, cwd=folder, timeout=20, check=True)
    assert list(folder.iterdir()) == []
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("item", HOSTILE)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("printf %s {}", "{}"),
        ('printf %s "{}"', "{}"),
        ("printf %s '{}'", "{}"),
        ('printf %s "a/{}.png"', "a/{}.png"),
        ("printf %s 'a/{}.png'", "a/{}.png"),
        ("printf %s a/{}'.png'", "a/{}.png"),
        ('x={}; printf %s "$x"', "{}"),
        ('printf %s "$(printf %s {})"', "{}"),
        ('printf %s "$(printf %s "{}"; echo)"', "{}"),
        ("(printf %s {})", "{}"),
        ("show() { printf %s {}; }; show other", "{}"),
        ("set -- other; printf %s {}", "{}"),
        ('printf %s "it is "{}" here"', "it is {} here"),
        ("sh -c 'printf %s \"$1\"' sh {}", "{}"),
        ("printf %s {} # it's a comment, {}", "{}"),
        ("printf %s {}; cat <<EOF\nit's\nEOF", "{}it's\n"),
        ("case {} in *) printf %s {};; esac", "{}"),
        ("printf '%s ' {#} {}", "7 {} "),
        ('printf %s "number {#}"; : {}', "number 7"),
    ],
)
def test_an_item_is_a_word_where_it_may_stand(
    shell: str, item: str, line: str, expected: str, tmp_path: Path
) -> None:
    trimmed = item.rstrip("\n") if "$(" in line.partition("printf %s ")[2][:4] else item  # as $(…) has it
    assert output(shell, line, item, tmp_path) == expected.replace("{}", trimmed)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('echo "size of {}"', "outside of quotes"),
        ("echo 'size of {}'", "outside of quotes"),
        ('sh -c "wc -c {}"', "sh -c 'wc -c \"$1\"' sh {}"),
        ("sh -c 'wc -c {}'", "sh -c 'wc -c \"$1\"' sh {}"),
        ("bash -ec wc\\ -c\\ {}", "sh -c 'wc -c \"$1\"' sh {}"),
        ("/bin/sh -c {}", "sh -c 'wc -c \"$1\"' sh {}"),
        ("eval wc {}", "sh -c 'wc -c \"$1\"' sh {}"),
        ("true; eval {}", "sh -c 'wc -c \"$1\"' sh {}"),
        ("cat <<EOF\n{}\nEOF", "printf '%s\\n' {} | cat"),
        ("cat <<'EOF'\n{}\nEOF", "printf '%s\\n' {} | cat"),
        ("cat <<-EOF\n\t{.}\nEOF", "printf '%s\\n' {} | cat"),
        ("echo `wc -c {}`", "x={}"),
        ('echo "`wc -c {}`"', "x={}"),
        ("echo $(({} + 1))", "x={}"),
        ("echo $(( (1)) + {} ))", "x={}"),
        ("echo `echo \\`; wc -c {}`", "x={}"),
        ("echo ${x:-{}}", "x={}"),
        ("echo $'{}'", "x={}"),
        ("echo \\{}", "outside of quotes"),
        ("echo ${}", "outside of quotes"),
        ('ssh host "wc -c {}"', "outside of quotes"),
    ],
)
def test_a_place_where_an_item_could_run_is_refused_with_what_to_write(line: str, remedy: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Template([line], for_shell=True)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("line", ["echo 'it is {}", 'echo "it is" "{}', "echo `date {#}", "echo ${x {}"])
def test_a_line_with_an_open_quote_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        Template([line], for_shell=True)


@pytest.mark.parametrize(
    "words", [["sh -c 'wc -c {}'"], ["sh", "-c", "wc -c {}"], ["env", "A=1", "/bin/bash", "-ec", "{.}"]]
)
def test_a_program_for_another_shell_holds_no_item_without_shell_either(words: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="program for a shell"):
        Template(words, for_shell=False)
    assert Template(["sh", "-c", 'wc -c "$1"', "sh", "{}"], for_shell=False).fill("a b", 1)[-1] == "a b"
