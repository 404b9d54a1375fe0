"""The lowest version of each dependency that an installation may get: none that is known to be vulnerable."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Advisory(NamedTuple):
    name: str
    fixed: str  # the first version without it
    what: str


# As of 2026-11. Add a new one here, and the test says which floor to raise.
KNOWN_BAD = [
    Advisory("aiosmtpd", "1.4.5", "CVE-2024-27305: a second message smuggled into one"),
    Advisory("aiosmtpd", "1.4.6", "CVE-2024-34083: commands sent before STARTTLS are taken after it"),
    Advisory("click", "8.3.3", "CVE-2026-7246: edit() runs commands that a file's name holds"),
    Advisory("cryptography", "42.0.4", "CVE-2024-26130: a PKCS#12 file without its key crashes the process"),
    Advisory("cryptography", "43.0.1", "GHSA-h4gh-qq45-vh27: a vulnerable OpenSSL in the wheels"),
    Advisory("cryptography", "44.0.1", "CVE-2024-12797: a vulnerable OpenSSL in the wheels"),
    Advisory("cryptography", "46.0.5", "CVE-2026-26007: public keys on binary curves are not checked"),
    Advisory("cryptography", "46.0.6", "CVE-2026-34073: name constraints are not applied to wildcards"),
    Advisory("cryptography", "46.0.7", "CVE-2026-39892: a buffer with gaps is read beyond its end"),
    Advisory("cryptography", "48.0.1", "CVE-2026-34180: a vulnerable OpenSSL in the wheels"),
    Advisory("cryptography", "50.0.0", "CVE-2026-69247: an oracle in the decryption of PKCS#7"),
    Advisory("jinja2", "3.1.6", "CVE-2025-27516: a template gets out of its sandbox"),
    Advisory("msgpack", "1.2.1", "CVE-2026-57585: an Unpacker used again after an error reads out of bounds"),
    Advisory("pillow", "12.2.0", "CVE-2026-40192: a FITS image that unpacks to any size"),
    Advisory("psutil", "5.6.6", "CVE-2019-18874: memory that is freed twice"),
    Advisory("starlette", "0.47.2", "CVE-2025-54121: a large upload blocks the event loop"),
    Advisory("starlette", "0.49.1", "CVE-2025-62727: a header Range of quadratic cost"),
    Advisory("uvloop", "0.20.0", "CVE-2024-24806: libuv cuts long names of hosts"),
]
FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:>=|~=)(?P<floor>[0-9][0-9.]*)(?:\s*;.*)?")


def floors(root: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Every requirement of every kind of installation, with its lowest version."""
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    kinds = [project["dependencies"], *project["optional-dependencies"].values()]
    found = []
    for requirement in (requirement for kind in kinds for requirement in kind):
        match = FLOOR.fullmatch(requirement)
        assert match, f"{requirement}: write name>=lowest version"
        found.append((match["name"].lower(), version(match["floor"])))
    return found


def version(text: str) -> tuple[int, ...]:
    parts = tuple(map(int, text.split(".")))
    return parts + (0,) * (3 - len(parts))


@pytest.mark.parametrize("advisory", KNOWN_BAD, ids=lambda one: one.what.partition(":")[0])
def test_no_floor_lets_a_version_in_that_is_known_to_be_vulnerable(root: Path, advisory: Advisory) -> None:
    mine = [floor for name, floor in floors(root) if name == advisory.name]
    assert mine, f"{advisory.name} is no dependency any more: take it out of the table"
    too_low = [floor for floor in mine if floor < version(advisory.fixed)]
    assert too_low == [], f"raise {advisory.name} to >={advisory.fixed}: {advisory.what}"


def test_what_is_installed_is_not_below_the_floors(root: Path) -> None:
    """Else the suite would say nothing of what an installation gets."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    below = []
    for name, floor in floors(root):
        try:
            there = re.match(r"[0-9.]+[0-9]", installed(name))
        except PackageNotFoundError:
            continue  # of a kind of installation that this is not
        if there is not None and version(there[0]) < floor:
            below.append(f"{name} {there[0]}")
    assert below == []
