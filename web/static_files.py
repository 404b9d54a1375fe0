"""The files that go to a browser as they are: read once, and nothing else of the disk can be asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


@cache
def files() -> dict[str, tuple[bytes, str]]:
    """By their path below static/."""
    return {
        file.relative_to(FOLDER).as_posix(): (file.read_bytes(), TYPES[file.suffix])
        for file in FOLDER.rglob("*")
        if file.is_file()
    }


class Static:
    async def file(self, request: Request) -> Response:
        """Its address holds a version, so a browser keeps it without asking again."""
        found = files().get(request.path_params["path"])
        if found is None:
            return PlainTextResponse("There is no such file.\n", 404)
        content, kind = found
        return Response(
            content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"}
        )
