"""Validation of mail addresses and their form on the wire. Pure; whether a mailbox exists is not checked."""

from __future__ import annotations

import re
from typing import Final

from ....common.errors import InvalidArgument

ADDRESS_CHARS_MAX: Final = 254  # RFC 5321, as it is read since its erratum 1690
LOCAL_CHARS_MAX: Final = 64
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PLAIN_NAME: Final = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*")


class UnfitRecipient(InvalidArgument):
    """Part of a recipient's message cannot be sent. The text says what, without the line of the file."""


def judged(text: str) -> str:
    """The address for the wire: ASCII, with a non-ASCII domain in its DNS form. Raises UnfitRecipient."""
    text = text.strip()
    if not text:
        raise UnfitRecipient("there is no address")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise UnfitRecipient(f"{text!r:.80} is not an address; it looks like name@example.org")
    if not local.isascii():
        raise UnfitRecipient(
            f"{text!r:.80} has letters outside ASCII before the @; that needs SMTPUTF8, which few servers take"
        )
    if not _LOCAL.fullmatch(local) or local[0] == "." or local[-1] == "." or ".." in local:
        raise UnfitRecipient(f"{text!r:.80} is not an address: {local!r:.70} cannot stand before the @")
    domain = _in_dns(domain)
    if len(local) > LOCAL_CHARS_MAX or len(local) + 1 + len(domain) > ADDRESS_CHARS_MAX:
        raise UnfitRecipient(f"{text!r:.80} is longer than an address may be")
    return f"{local}@{domain}"


def shown(name: str, address: str) -> str:
    """The form in a header: a name with special characters is quoted."""
    name = " ".join(name.split())
    if not name:
        return address
    if not _PLAIN_NAME.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def sameness(address: str) -> str:
    """Equal for two ways to write one mailbox. (RFC 5321 lets capitals differ; no provider does.)"""
    return address.casefold()


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _in_dns(domain: str) -> str:
    try:
        ascii_form = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise UnfitRecipient(f"{domain!r:.80} is no name of a domain") from None
    labels = ascii_form.split(".")
    whole = all(_LABEL.fullmatch(label) for label in labels)
    if not whole or (len(labels) < 2 and ascii_form.lower() != "localhost") or labels[-1].isdigit():
        raise UnfitRecipient(f"{domain!r:.80} is no name of a domain; it looks like example.org")
    return ascii_form
