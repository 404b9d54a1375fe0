"""The base of exposed objects, and the validation of their arguments: they come from peers and may be anything."""

from __future__ import annotations

from typing import Any, Final

from ...common.domain.durations import DELAY_SECONDS_MAX, check_number
from ...common.errors import Forbidden, InvalidArgument
from ...common.values.brief import brief, few
from ..engine.clock import Now
from ..engine.engine import Engine
from ..engine.session import Call

TEXT_CHARS_MAX: Final = 1_000  # of any text from a peer that has no tighter limit
TOKEN_BYTES: Final = 16  # that name a call, so that it is known when it is repeated
NUMBER_MAX: Final = 2**62  # of the numbers that a program gives its calls
UNIX_SECONDS_MAX: Final = 1e11  # the year 5138; in milliseconds it still fits the store's integers


class EngineObject:
    """Base of the master's own exposed objects. A subclass checks the arguments that it is named with."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine


def allow_queue(call: Call, queue: str) -> None:
    if not call.session.allows_queue(queue):
        patterns = few(call.session.verifier.queues)
        raise Forbidden(f"this key may use the queues {patterns}, not {queue!r}; ask for a key that may")


def validate_whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidArgument(f"{name} must be a whole number from {low} to {high}, not {brief(value)}")
    return value


def validate_seconds(name: str, value: Any) -> float:
    """A moment in Unix seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= UNIX_SECONDS_MAX:
        raise InvalidArgument(f"{name} must be a moment in Unix seconds, not {brief(value)}")
    return float(value)


def moment_after(now: Now, seconds: Any) -> int | None:
    """Of a time that a caller gives for how long something holds: when it ends, steady. None: no end."""
    if seconds is None:
        return None
    check_number("seconds", seconds, 0.001, DELAY_SECONDS_MAX)
    return now.steady + max(1, int(seconds * 1000))


def validate_flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise InvalidArgument(f"{name} must be true or false, not {brief(value)}")
    return value


def validate_token(name: str, token: Any) -> bytes:
    if type(token) is not bytes or len(token) != TOKEN_BYTES:
        raise InvalidArgument(f"a {name} is {TOKEN_BYTES} random bytes")
    return token


def validate_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
        raise InvalidArgument(
            f"{name} must be text of at most {TEXT_CHARS_MAX:,} characters, not {brief(value)}"
        )
    return value


def validate_texts(name: str, value: Any, most: int) -> list[str]:
    """At most so many."""
    if len(validate_list(name, value)) > most:
        raise InvalidArgument(f"{name}: {len(value):,} of them; at most {most:,}")
    return [validate_text(name, one) for one in value]


def validate_list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgument(f"{name} must be a list, not {brief(value)}")
    return value


def describe_uses(uses: dict[str, int]) -> str:
    """Why something is in use, for an error message: how many of each kind of use."""
    return ", ".join(f"{count:,} {what}" for what, count in uses.items() if count)
