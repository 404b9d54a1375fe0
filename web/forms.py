"""Forms as a browser sends them, and paths that lead nowhere else. Both are text from outside."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from .guard import BODY_BYTES_MAX

TOKEN_FIELD: Final = "csrf"
BACK_FIELD: Final = "back"
BODY_SECONDS: Final = 10.0


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; empty if it has more bytes than it said, or does not come in time."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_BYTES_MAX:
                    return {}
    except TimeoutError:
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def local_path(text: str) -> str:
    """A path of this page; the start for anything that leads elsewhere."""
    parts = urlsplit(text)
    is_local = (
        not parts.scheme and not parts.netloc and text.startswith("/") and not text.startswith(("//", "/\\"))
    )
    return text if is_local and text.isprintable() else "/"
