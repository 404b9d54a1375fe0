"""The help of a program with many settings, on one screen: what everybody needs in full, the rest by name."""

from __future__ import annotations

import textwrap

import click


class OneScreen(click.Command):
    """Lists its hidden options by name after the others; the sample configuration file explains them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        rare = [one.opts[0] for one in self.params if isinstance(one, click.Option) and one.hidden]
        if rare:
            file = f"configs/{ctx.command_path.removeprefix('tq-')}.toml"
            text = f"Also, see {file}: {' '.join(rare)}"
            lines = textwrap.wrap(text, formatter.width - 2, break_on_hyphens=False)
            formatter.write("\n" + textwrap.indent("\n".join(lines), "  ") + "\n")
