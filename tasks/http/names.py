"""What the worker says about all fetches, and the addresses of a name that may be connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import tq

from .addresses import refusal

# Requests at once to one host, for each child: what browsers and crawlers think polite
PER_HOST_DEFAULT: Final = 8
PER_HOST_MAX: Final = 100_000
NAMES_THREADS_MAX: Final = 32  # lookups at once: the system's resolver blocks

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses; raises OSError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the worker says about all fetches. ``is_private``: its own network may be fetched from, too."""

    is_private: bool = False
    per_host: int = PER_HOST_DEFAULT

    def allows(self, address: str) -> bool:
        return self.is_private or refusal(address) is None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, is_private: bool) -> Policy:
        """Raises tq.ConfigError."""
        text = environment.get("TQ_HTTP_PER_HOST", str(PER_HOST_DEFAULT))
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PER_HOST_MAX):
            raise tq.ConfigError(
                f"TQ_HTTP_PER_HOST must be a number from 1 to {PER_HOST_MAX:,}, not {text!r:.40}"
            )
        return cls(is_private=is_private, per_host=int(text))


class AddressRefused(OSError):
    """A name stands for no address that may be connected to."""


class Names:
    """The resolver of a session: gives the library addresses that were judged, and no others."""

    def __init__(self, policy: Policy, look_up: LookUp | None = None) -> None:
        self._policy = policy
        self._look_up = look_up or self._ask_the_system
        self._threads = ThreadPoolExecutor(NAMES_THREADS_MAX, "names")

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[dict[str, Any]]:
        found = list(dict.fromkeys(await self._look_up(host, port)))
        if not found:
            raise OSError(f"{host} stands for no address")
        public = [one for one in found if self._policy.allows(one)]
        if not public:
            raise AddressRefused(refused_words(host, found))
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in public
        ]

    async def _ask_the_system(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _addresses, host, port)
        except UnicodeError as error:  # a name that Python's own encoder refuses
            raise OSError(f"{host!r:.100} cannot be looked up: {error}") from None
        return found

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def refused_words(host: str, found: Sequence[str]) -> str:
    shown = ", ".join(f"{one} ({refusal(one)})" for one in found[:3])
    return f"{host} is {shown}: not fetched from; a worker with --http-private does"
