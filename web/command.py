"""The command ``tq web``. Nothing of a web server is imported before it is known that it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ..common.auth.key_files import read_key_file
from ..common.domain.model import Role
from ..common.errors import ConfigError, InvalidArgument
from ..common.runtime.discovery import discover
from ..common.runtime.hiding import hide_process
from ..common.runtime.terminal import say, write_line
from ..common.wire.address import parse_addresses, url_of
from .settings import DEFAULT_BIND, page_settings

NEEDED: Final = ("starlette", "uvicorn", "jinja2")
# What may do most comes first: the page is that of the person who has these keys.
ROLES: Final = (Role.ADMIN, Role.CLIENT)


@click.command(epilog="Example: tq web --open")
@click.option(
    "--bind", default=DEFAULT_BIND, metavar="HOST:PORT", help=f"Where it listens.  [{DEFAULT_BIND}]"
)
@click.option("--url", "--connect", "url", metavar="URL", help="The master, tq://host:5000.  [found]")
@click.option("--open", "is_opened", is_flag=True, help="Print a link that logs in, once, within 60 s.")
@click.option("--authkey-file", type=click.Path(path_type=Path), help="The key of that link.  [found]")
@click.option("--host", "names", multiple=True, metavar="NAME", help="Its name in a browser; repeatable.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM file: its certificate chain.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file: the key of that.")
@click.option("--behind-proxy", is_flag=True, help="A proxy before it has TLS.")
def web(
    bind: str,
    url: str | None,
    is_opened: bool,
    authkey_file: Path | None,
    names: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
) -> None:
    """A page that shows the cluster, live, and acts on it.

    It has no key: you log in with one, and may do what that key may do.
    Off this machine it needs TLS, its own or a proxy's.
    """
    hide_process()  # it holds the keys of those who log in
    authkey = None if authkey_file is None else read_key_file(authkey_file)
    found = discover(url, authkey or "of the person who logs in", Role.CLIENT)
    if found.url is None:
        raise InvalidArgument(
            f"no master is named, and none was found: {'; '.join(found.looked)}. Name one: --url tq://host:5000"
        )
    settings = page_settings(
        bind=bind,
        master=url_of(parse_addresses(found.url)),
        names=names,
        certificate=tls_cert,
        key=tls_key,
        behind_proxy=behind_proxy,
    )
    if missing := [name for name in NEEDED if not _is_installed(name)]:
        raise ConfigError(f"the page needs {', '.join(missing)}: pip install 'tq[web]'")
    from .serving import serve

    serve(settings, _key_of_link(url, authkey) if is_opened else None, _say)


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _key_of_link(url: str | None, authkey: str | None) -> str:
    """The key that is given, or what is found of the person who starts the page."""
    looked: tuple[str, ...] = ()
    for role in ROLES:
        found = discover(url, authkey, role)
        if found.authkey is not None:
            return found.authkey
        looked = found.looked
    raise InvalidArgument(
        f"--open needs a key, and none was found: {'; '.join(looked)}. Give --authkey-file, or log in without --open"
    )


def _say(url: str, link: str | None) -> None:
    write_line(f"the page is at {url}")
    if link is not None:
        write_line(f"for 60 seconds, and once, this logs you in: {link}")
    say("Ctrl-C ends it")
