"""The pages of the reference that are written from the code: ``python -m tests.docs.reference`` rewrites them.

docs/reference/api.md comes from the docstrings of what ``import tq`` offers, docs/reference/help.md from the help screens,
docs/configuration.md from configs/*.toml. A test compares.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import tq
from click.testing import CliRunner
from tq.client.cli import main as tq_main
from tq.common.domain.model import TaskOptions
from tq.common.runtime.config import MasterSettings, WorkerSettings

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = "Written by `python -m tests.docs.reference`; a test compares."
GROUPS = {
    "Submitting": (
        "App",
        "Task",
        "Handle",
        "Handles",
        "Attempt",
        "Progress",
        "State",
        "as_completed",
        "wait",
    ),
    "Large data": ("Blob",),
    "Inside a task": ("Context", "current"),
    "In place of the standard library": ("Executor", "Pool", "local"),
    "Objects of your own": ("exposed",),
    "In tests": ("throwaway_cluster",),
}
MADE_BY_TQ = {
    "Blob",
    "Task",
    "Handle",
    "Handles",
    "Attempt",
    "Context",
    "Progress",
}  # not called by users
# What parts of the client call on one another.
INSIDE = {
    "session",
    "to_wire",
    "from_wire",
    "submitted",
    "parts",
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


# the API


def api_page() -> str:
    names = [name for name in tq.__all__ if not name.startswith("__")]
    errors = [name for name in names if _is_error(getattr(tq, name))]
    grouped = {name for group in GROUPS.values() for name in group}
    rest = tuple(name for name in names if name not in grouped and name not in errors)
    parts = [f"# API\n\nWhat `import tq` offers. {WRITTEN}\n"]
    for title, group in {**GROUPS, "More": rest}.items():
        if group:
            parts.append(f"## {title}\n")
            parts += [_described(name, getattr(tq, name)) for name in group]
        if title == "Submitting":
            parts.append(_options())
    listed = ", ".join(f"[{name}](../errors.md#{name.lower()})" for name in errors)
    parts.append(f"## Errors\n\nEach has a section of its own: {listed}.\n")
    return "\n".join(parts)


def _options() -> str:
    """The options of a task, as their definition explains them."""
    found = re.findall(r"^    (\w+): .+? = (.+?)  # (.+)$", inspect.getsource(TaskOptions), re.MULTILINE)
    rows = "\n".join(f"| `{name}` | {_default(value)} | {said} |" for name, value, said in found)
    delivery = f"| `delivery` | `{TaskOptions().delivery}` | or `at_most_once`: never started twice |"
    return (
        "### Task options\n\nFor `app.task(…)`, `app.named(…)` and `using(…)`; besides, `queue` and, for `using`, `key`.\n\n"
        f"| option | default | |\n|---|---|---|\n{rows}\n{delivery}\n"
    )


def _default(value: str) -> str:
    return "none" if value == "None" else f"`{value}`"


def _is_error(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def _described(name: str, thing: Any) -> str:
    parts = [f"### {name}\n"]
    if not isinstance(thing, type):
        parts.append(_code(f"tq.{_signature(name, thing)}"))
    elif name not in MADE_BY_TQ and not issubclass(thing, enum.Enum) and "__init__" in vars(thing):
        parts.append(_code(f"tq.{_signature(name, thing.__init__)}"))
    parts.append(_prose(inspect.getdoc(thing) or ""))
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        parts.append("Its members: " + ", ".join(f"`{one.name}`" for one in thing) + ".\n")
    elif isinstance(thing, type):
        parts += _members(name, thing)
    return "\n".join(part for part in parts if part)


def _members(name: str, kind: type) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        fields = ", ".join(
            f"`{one.name}`" for one in dataclasses.fields(kind) if not one.name.startswith("_")
        )
        yield f"Its fields: {fields}.\n"
    ours = [one for one in kind.__mro__ if one.__module__.startswith("tq.")]
    for member, found in {name: one for base in reversed(ours) for name, one in vars(base).items()}.items():
        doc = inspect.getdoc(found)
        if member.startswith("_") or member in INSIDE or not doc:
            continue
        if isinstance(found, property):
            yield f"**`{name}.{member}`**\n\n{_prose(doc)}"
        elif inspect.isfunction(inspect.unwrap(getattr(found, "__func__", found))):
            function = inspect.unwrap(getattr(found, "__func__", found))
            yield f"**`{name}.{_signature(member, function)}`**\n\n{_prose(doc)}"


def _signature(name: str, function: Any) -> str:
    [node] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, FUNCTIONS)
    arguments = re.sub(r"^(self|cls)(, (?!/)|, /, |$)", "", ast.unparse(node.args))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and name[0].islower() else ""
    return f"{name}({arguments}){returns}"


def _code(text: str) -> str:
    return textwrap.indent(text, "    ") + "\n"


def _prose(doc: str) -> str:
    """A docstring as Markdown: literals and the blocks that follow ``::``."""
    text = re.sub(r"``([^`]+)``", r"`\1`", doc)
    text = re.sub(r"^::\n", "", re.sub(r"::(?=\n)", ":", text), flags=re.MULTILINE)
    return text.strip() + "\n"


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
    "docs/reference/api.md": api_page,
    "docs/reference/help.md": help_page,
    "docs/configuration.md": configuration_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
