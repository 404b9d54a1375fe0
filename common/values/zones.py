"""Time zones by the IANA's keys, read from the system's files: by a closed grammar, so that no key is a path of another kind."""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

from ..errors import DecodeError
from .brief import brief

# As the zones of the IANA are called. What it is not is never looked for among files.
ZONE: Final = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,3}")


def key_of(zone: Any) -> str | None:
    """The key of a ZoneInfo that others find by it; None for any other zone."""
    key = getattr(zone, "key", None)
    is_zone = type(zone).__module__.partition(".")[0] == "zoneinfo"
    return key if is_zone and isinstance(key, str) and ZONE.fullmatch(key) else None


def fixed_of(zone: datetime.timezone) -> tuple[datetime.timedelta, str | None]:
    """The offset and the name of a zone that has no more. A name that only repeats the offset is None: the reader makes it again."""
    offset, name = zone.utcoffset(None), zone.tzname(None)
    return offset, None if name == datetime.timezone(offset).tzname(None) else name


def zone_of(key: str) -> datetime.tzinfo:
    """Raises DecodeError."""
    if not ZONE.fullmatch(key):
        raise DecodeError(f"{brief(key, 80)} is not the name of a time zone")
    from zoneinfo import ZoneInfo  # loads the zone database: only for those who use it

    try:
        return ZoneInfo(key)
    except Exception:  # a folder of zones, say: which error that is depends on Python and the system
        raise DecodeError(f"the time zone {key} is not known here") from None
