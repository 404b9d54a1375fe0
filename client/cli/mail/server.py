"""``--smtp``: the server that the workers use, as a URL that never contains a password. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

from ....common.errors import InvalidArgument
from ....common.wire.address import is_loopback

PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def server_url(text: str) -> str:
    """``host``, ``host:port`` or a URL, as ``scheme://[user@]host:port``; encrypted unless it is loopback or said."""
    scheme, slashes, _ = text.strip().partition("://")
    try:
        url = urlsplit(text.strip() if slashes else f"//{text.strip()}")
        port = url.port
    except ValueError as error:
        raise InvalidArgument(f"--smtp {_without_password(text)!r:.80}: {error}") from None
    if url.password is not None:
        safe = url.scheme if url.scheme == "smtps" or is_loopback(url.hostname or "") else "smtp+starttls"
        kept = f"{safe or 'smtp'}://{url.username}@{url.hostname}{'' if port is None else f':{port}'}"
        raise InvalidArgument(
            "--smtp has a password in it, and all users of this machine can read the arguments of a command. Change "
            f"that password, write --smtp {kept}, and put the new one where the workers are: a file named by "
            "TQ_SMTP_PASSWORD_FILE"
        )
    if not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise InvalidArgument(f"--smtp {text!r:.80}: write host, host:port or smtps://user@host:port")
    if not slashes:
        scheme = (
            "smtps" if port == PORTS["smtps"] else "smtp" if is_loopback(url.hostname) else "smtp+starttls"
        )
    if scheme not in PORTS:
        raise InvalidArgument(f"--smtp {text!r:.80}: {scheme!r:.20} is unknown; one of: {', '.join(PORTS)}")
    user = "" if url.username is None else f"{quote(unquote(url.username), safe='')}@"
    if user and scheme == "smtp" and not is_loopback(url.hostname):
        raise InvalidArgument(
            f"--smtp {text!r:.80}: a login needs encryption; write smtp+starttls:// or smtps://"
        )
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{scheme}://{user}{host}:{port or PORTS[scheme]}"


def _without_password(text: str) -> str:
    before, at, host = text.rpartition("@")
    return f"{before.rpartition(':')[0]}:…{at}{host}" if at else text
