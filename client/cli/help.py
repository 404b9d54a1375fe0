"""``tq help``: a section of the page of errors, or a command's help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

from ...common.runtime.guessing import nearest
from ...common.runtime.terminal import console

PAGE: Final = Path(__file__).parents[2] / "docs" / "errors.md"
WIDTH_MAX: Final = 100  # of prose; longer lines are hard to read


@click.command("help", epilog="Example: tq help unreachable")
@click.argument("topic", required=False)
@click.pass_context
def show_help(ctx: click.Context, topic: str | None) -> None:
    """What an error means and what to do, or the help of a command; without TOPIC, all topics."""
    topics = sections(PAGE.read_text("utf-8"))
    parent = ctx.find_root()
    commands = parent.command.list_commands(parent) if isinstance(parent.command, click.Group) else []
    wanted = "" if topic is None else re.sub(r"\W+", "-", topic.strip().lower())
    section = topics.get(wanted) or topics.get(wanted.replace("-", ""))
    if topic is None:
        _render(_contents(topics))
    elif section is not None:
        _render(section)
    elif wanted not in commands:
        near = nearest(wanted, [*topics, *commands], 3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`tq help` lists them"
        raise click.UsageError(f"there is no topic {topic!r:.40}; {hint}", ctx)
    if wanted in commands:  # `retry` is both
        parent.command.main([wanted, "--help"], prog_name=parent.command_path)


def sections(page: str) -> dict[str, str]:
    """The sections of a page by their anchors; a section of the second level contains its subsections."""
    found: dict[str, str] = {}
    heads = list(re.finditer(r"^(##+) (.+)$", page, re.MULTILINE))
    for index, head in enumerate(heads):
        after = (later.start() for later in heads[index + 1 :] if len(later[1]) <= len(head[1]))
        anchor = re.sub(r"[^\w\- ]", "", head[2].lower()).replace(" ", "-")
        found[anchor] = page[head.start() : next(after, len(page))].strip() + "\n"
    return found


def _contents(topics: dict[str, str]) -> str:
    """The sections of the second level, each with what is in it."""
    lines = ["## tq help TOPIC", ""]
    for anchor, text in topics.items():
        if text.startswith("## "):
            inner = re.findall(r"^### (.+)$", text, re.MULTILINE)
            title = text.splitlines()[0].removeprefix("## ")
            lines.append(f"- **{title}**: {', '.join(name.lower() for name in inner) or anchor}")
    return "\n".join([*lines, "", "`tq help COMMAND` is `tq COMMAND --help`.", ""])


def _render(markdown: str) -> None:
    from rich.markdown import Markdown

    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown)  # a link leads nowhere on a terminal
    console(width=min(console().width, WIDTH_MAX)).print(Markdown(plain))
