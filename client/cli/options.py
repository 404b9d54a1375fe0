"""The options of all commands: the master, the key, and output for a person or a program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...common.auth.key_files import read_key_file
from ...common.domain.durations import DELAY_SECONDS_MAX
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ..app import App
from .where import age

# Short, as a person waits; longer than a master delays the answer to the sixth wrong key
CONNECT_SECONDS = 5.0

_F = TypeVar("_F", bound=Callable[..., Any])


def connected(role: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an App of the least role that can do it, and the option ``--json``.

    The function gets ``app`` and ``as_json``; the connection is closed when it returns.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--url", metavar="URL", help="The master, tq://host:5000.  [found]")
        @click.option(
            "--authkey-file",
            type=click.Path(path_type=Path),
            help="The key.  [found]",
        )
        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
        @functools.wraps(function)
        def command(url: str | None, authkey_file: Path | None, as_json: bool, **given: Any) -> Any:
            authkey = None if authkey_file is None else read_key_file(authkey_file)
            with App(url, authkey, role=role, connect_timeout=CONNECT_SECONDS) as app:
                return function(app=app, as_json=as_json, **given)

        return command

    return decorate


def lasting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--for``: the function gets it as ``seconds``, None without it."""

    @click.option("--for", "time", metavar="TIME", help="For 30s, 10min, 2h or 7d; else until it is undone.")
    @functools.wraps(function)
    def command(time: str | None, **given: Any) -> Any:
        seconds = None if time is None else age(time, "for")
        if seconds is not None and not 0 < seconds <= DELAY_SECONDS_MAX:
            raise InvalidArgument(
                f"--for {time}: longer than 0 and at most 3660d; without --for it holds until it is undone"
            )
        return function(seconds=seconds, **given)

    return command


def with_role(app: App, role: Role) -> App:
    """Another App of the same master, with a role that has more permissions."""
    return App(app.url, app.authkey, role=role, connect_timeout=CONNECT_SECONDS)
