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
def test_an_item_is_one_argument_where_it_is_allowed(
    shell: str, line: str, expected: str, tmp_path: Path
) -> None:
    for item in HOSTILE:
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
        ("echo `wc -c {}`", "$(wc -c {})"),
        ('echo "`wc -c {}`"', "$(wc -c {})"),
        ("echo $(({} + 1))", "expr {} + 1"),
        ("echo $(( (1)) + {} ))", "expr {} + 1"),
        ("echo `echo \\`; wc -c {}`", "$(wc -c {})"),
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


RUNS_AN_ITEM = [
    "bash -c {}",
    "bash -c -- {}",
    "bash -o pipefail -c {}",
    "bash -eo pipefail -c {}",
    "bash +e -c {}",
    "bash --norc -c {}",
    "bash -O extglob -c {}",
    "bash\t-c {}",
    "bash -c \\\n {}",
    "'bash' -c {}",
    "b''ash -c {}",
    "$SHELL -c {}",
    "/bin/b?sh -c {}",
    "busybox sh -c {}",
    'sh -c "$0" {}',
    "cd /tmp && time bash -c {}",
    "time -p eval {}",
    "time { eval {}; }",
    "time ! eval {}",
    'x={}; python3 -c "$x"',
    "x={}; awk $x file",
    'x={}; find . -exec "$x" ;',
    'x={}; ls | xargs "$x"',
    "{bash,-c,} {}",
    "ba\\\nsh -c {}",
    "case x in (x) eval {};; esac",
    "echo > $(eval {})",
    "if eval {}; then :; fi",
    "! eval {}",
    "command eval {}",
    "builtin eval {}",
    "while eval {}; do break; done",
    "case x in x) eval {};; esac",
    "f() { eval {}; }; f",
    "echo $(eval {})",
    "trap {} EXIT",
    'x={}; eval "$x"',
    'x={}; bash -c "$x"',
    "x={}; $x",
    'x={}; "$x"',
    "echo {} | sh",
    "echo {} | bash -s",
    "echo {} | xargs sh -c",
    "echo {} | xargs -I% sh -c %",
    ". {}",
    "exec {}",
    "nice -n 10 {}",
    "nohup bash -c {}",
    "env -S {}",
    "env -i {}",
    "PATH={} ls",
    "BASH_ENV={} bash s.sh",
    "script -qc {}",
    "ssh host {}",
    "python3 -c {}",
    "perl -ne {}",
    "awk {} file",
    "make {}",
    "find . -exec sh -c {} ;",
    "find . -exec {} ;",
    "[[ {} -gt 3 ]]",
    "test -v {}",
    "printf -v {} x",
    "read {} < /dev/null",
    "let {}",
    "unset {}",
    "declare {}",
    "export {}",
    "typeset -i n={}",
    "arr[{}]=1",
    "x={}; echo $((x))",
    "x={}; ((x > 3))",
    "x={}; echo ${y:x}",
    "x={}; echo ${x@P}",
    "x={}; echo ${!x}",
    "x={}; let x",
    "x={}; declare -i n=$x",
    'x={}; test -v "$x"',
    'x={}; unset "$x"',
    "cat <(echo {})",
    "> f case x in\neval {}\n)",
]


@pytest.mark.parametrize("line", RUNS_AN_ITEM)
def test_an_item_that_a_command_would_run_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument, match="where an item could be run as a program"):
        Template([line], for_shell=True)


@pytest.mark.parametrize(
    "line",
    [
        "tr a-z A-Z < {} > {.}.up 2>&1",
        't=$(mktemp) && convert {} "$t" && mv "$t" {.}.png',
        "find . -name {} | xargs rm",
        "ls {} | xargs -n 1 echo",
        "head -n $((10 * 2)) {} | sort | uniq -c",
        "awk '{print $1}' {}; sed -i s/a/b/ {}; perl -pe 's/a/b/' {}; python3 s.py --name {}",
        'x={}; printf %s "${x%.*}" "${x:-none}"',
        "if [ -f {} ] && [ ! -f {}.gz ]; then gzip {}; else echo no; fi",
        "nice -n 10 gzip {} && timeout 5 cat {}.gz | wc -c; env A=1 ls {}; nohup ls {} &",
        "case {} in *.gz|*.bz2) echo $(wc -c {}) ;; (*) : ;; esac; wc {}",
        "out=$(case {} in a) echo 1;; esac); echo $out",
        "for i in 1 2; do echo $i {}; done; while read line; do echo $line; done < {}",
        "set -e; cd {//}; export NAME=x; trap 'rm -f t' EXIT; wc {/}",
        "bash -o pipefail -c 'wc \"$1\" | cat' bash {}; bash script.sh {}",
        "sh -c 'eval \"$1\"' sh {}",
        "./script {}; ~/bin/tool {}; time gzip {}",
        'd=$(mktemp -d); ls {} | xargs -I% cp % "$d"; sed "s/a/$d/" {}; awk -v n=1 \'{print n}\' {}',
    ],
)
def test_what_gives_an_item_to_a_program_as_an_argument_is_accepted(line: str) -> None:
    Template([line], for_shell=True)


@pytest.mark.parametrize(
    "words",
    [
        ["bash", "-c", "--", "{}"],
        ["bash", "-c", "-e", "{}"],
        ["bash", "-o", "pipefail", "-c", "{}"],
        ["/bin/bash", "-x", "-c", "--", "{}"],
        ["bash"],
        ["env", "-S", "bash -c '{}'"],
        ["xargs", "-I%", "sh", "-c", "{}"],
        ["find", ".", "-exec", "sh", "-c", "{}", ";"],
        ["strace", "bash", "-c", "{}"],
        ["script", "-qc", "{}", "/dev/null"],
        ["su", "root", "-c", "{}"],
        ["python3", "-c", "import os; os.system('{}')"],
        ["awk", 'BEGIN { system("{}") }'],
        ["{}"],
        ["nice", "{}"],
    ],
)
def test_so_it_is_without_a_shell(words: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="where an item could be run as a program"):
        Template(words, for_shell=False)


def test_a_line_with_nothing_but_numbers_in_its_places_is_safe_in_every_program() -> None:
    assert Template(["bash -c 'echo {#}' {#}"], for_shell=False).fill("x", 3) == ["bash", "-c", "echo 3", "3"]
