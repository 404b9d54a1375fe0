"""The pages of the reference that are written from the code: ``python -m tests.docs.reference`` rewrites them.

docs/reference/help.md comes from the help screens, docs/configuration.md from configs/*.toml. A test compares. The page of
the API is made of the docstrings when the site is built.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner
from tq.client.cli import main as tq_main
from tq.common.runtime.config import MasterSettings, WorkerSettings

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = "Written by `python -m tests.docs.reference`; a test compares."

# help screens


def help_page() -> str:
    parts = [f"# Help screens\n\nWhat each command answers to `--help`. {WRITTEN}\n"]
    for program, command in programs().items():
        for path, _ in walk(program, command):
            parts.append(f"## {path}\n\n```text\n{help_of(path)}\n```\n")
    return "\n".join(parts)


def programs() -> dict[str, click.Command]:
    rooms = {f"tq-{room}": importlib.import_module(f"tq.{room}.cli").main for room in ("master", "worker")}
    return {**rooms, "tq": tq_main}


def walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from walk(f"{path} {name}", found)


def help_of(path: str) -> str:
    program, *names = path.split()
    done = CliRunner().invoke(programs()[program], [*names, "--help"], prog_name=program, terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.output.rstrip()


# configuration


def configuration_page() -> str:
    parts = [
        f"""# Configuration

Every setting of `tq-master` and `tq-worker`. In rising precedence: the file named by `--config` (or `TQ_CONFIG`), the
variable, the option, whose names stand with each. An unknown name is an error with a suggestion, and all errors are
reported at once. The defaults are meant for production. [master.toml](../configs/master.toml) and
[worker.toml](../configs/worker.toml) are the same, ready to be changed. {WRITTEN}

Programs and `tq` have no such file; how they find the master and the key is described under
[commands](commands.md#where-and-who). `TQ_CONNECT_TIMEOUT`, `TQ_CA_FILE` and `TQ_CERTIFICATE_FILE` are theirs, too; `TQ_KNOWN_MASTERS`, for
plain authkeys, names the file of [masters that were met](security.md), or is `off`.
"""
    ]
    for program, kind in (("master", MasterSettings), ("worker", WorkerSettings)):
        parts.append(f"## tq-{program}\n")
        known = {one.name for one in dataclasses.fields(kind)}
        options = {one.name: one.opts[0] for one in programs()[f"tq-{program}"].params}
        for block in (ROOT / f"configs/{program}.toml").read_text("utf-8").split("\n\n"):
            name = re.search(r"^#\[?(\w+)(?: = |\]$)", block, re.MULTILINE)
            if name and name[1] in known:
                parts.append(_setting(block, name[1], options.get(name[1])))
    return "\n".join(parts)


def _setting(block: str, name: str, option: str | None) -> str:
    said = " ".join(line[2:] for line in block.splitlines() if line.startswith("# "))
    shown = "\n".join(line[1:] for line in block.splitlines() if re.match(r"#[\w\[\"'{}\]]", line))
    ways = f"`{option}`, `TQ_{name.upper()}`" if option and option[0] == "-" else f"`TQ_{name.upper()}`"
    return f"### {name}\n\n{_wrapped(f'{ways}. {said}')}\n\n```toml\n{shown}\n```\n"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False))


PAGES = {
    "docs/reference/help.md": help_page,
    "docs/configuration.md": configuration_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
