"""Fetching URLs: one task a URL. ``tq-worker --connect … --allow-http``; needs ``pip install 'tq[http]'`` there.

Every client that may submit to such a worker has it connect to hosts of the client's choice, so without that switch no worker
serves this module, even if its settings name it; and with it only public addresses are fetched from, unless the worker says
``--http-private`` as well (docs/security.md). The task is a coroutine: a pool of event loops runs hundreds at once.

    TQ_HTTP_PER_HOST   requests at once to one host, for each child process  [8]

The answer decides: 429 and 5xx, or no complete answer, are tried again later, as ``Retry-After`` says or by the task's backoff; any
other status is a result. What is not allowed, or too large, ends the task for good.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import tq

from .ends import Refused, Unavailable

__all__ = ["Refused", "Unavailable", "app", "fetch"]

app = tq.App()


@app.task(queue="fetch", retries=5, backoff=2, backoff_max=600)
async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    max_bytes: int = 10 * 1024 * 1024,
    max_redirects: int = 10,
    raw: bool = False,
) -> dict[str, Any]:
    """Fetch a URL.

    Redirects are followed; no cookies are kept, and no proxy is used.

    Args:
        url: ``http://`` or ``https://``, without a user in it.
        method: ``"GET"`` or ``"HEAD"``.
        headers: Headers of the request. To another origin a redirect takes only Accept, Accept-Language and User-Agent along.
        timeout: Seconds for all of it, up to a day; waiting for other requests to the same host does not count.
        max_bytes: The most bytes of a body, unpacked, up to 1 GiB.
        max_redirects: The most redirects, up to 50.
        raw: The body as bytes, whatever its type is.

    Returns:
        ``{"url": …, "requested": …, "status": 200, "headers": {…}, "body": …}``: the URL of the answer after redirects, the one that
        was asked for, and headers by their names in lower case. The body is text if its Content-Type says text in an encoding of
        the web, else bytes; a ``tq.Blob`` above 256 KiB; None after HEAD.

    Raises:
        Unavailable: The server answered 429 or 5xx, or not completely in time: it is tried again.
        Refused: The URL, its address, a header or the size is not allowed, or redirects do not end.
    """
    library = _library()
    wish = library.Wish(
        url=url,
        method=method,
        headers=headers,
        timeout=timeout,
        max_bytes=max_bytes,
        max_redirects=max_redirects,
        raw=raw,
    )
    session = library.here() or await library.current()
    result: dict[str, Any] = await session.fetch(wish)
    return result


def serve(*, is_private: bool) -> None:
    """What a worker says before it serves this module; raises tq.ConfigError."""
    _library().set_policy(is_private=is_private)


@functools.cache
def _library() -> ModuleType:
    """Only what fetches needs aiohttp; a program that submits does not."""
    try:
        from . import session
    except ModuleNotFoundError as error:
        raise tq.ConfigError(
            f"fetching URLs needs the package {error.name}: pip install 'tq[http]'"
        ) from None
    return session
