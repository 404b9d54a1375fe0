"""What the tasks of a key may come to while they have not ended: so many, with arguments of so many bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief

QUEUED_MAX: Final = 1_000_000  # tasks: the master remembers the size of each, in some 150 bytes
QUEUED_BYTES_MAX: Final = 1 << 50


class KeyQuota(NamedTuple):
    """None: any number."""

    max_queued: int | None = None
    max_queued_bytes: int | None = None

    @property
    def tasks(self) -> int:
        """How many there may be: of a key with a bound on bytes alone, what the master can count."""
        return QUEUED_MAX if self.max_queued is None else self.max_queued

    def with_changes(self, changes: Mapping[str, Any]) -> KeyQuota:
        """Raises InvalidArgument."""
        if not isinstance(changes, dict) or not changes:
            raise InvalidArgument(f"changes must be a map of {' or '.join(self._fields)}")
        for name in changes:
            if name not in self._fields:
                raise InvalidArgument(
                    f"of a key {' and '.join(self._fields)} can be set, not {brief(name, 80)}"
                )
        quota = self._replace(**changes)
        for name, value, most in zip(self._fields, quota, (QUEUED_MAX, QUEUED_BYTES_MAX), strict=True):
            if value is not None and (type(value) is not int or not 1 <= value <= most):
                raise InvalidArgument(
                    f"{name} of a key is a whole number from 1 to {most:,}, not {brief(value)}; none is no bound, and "
                    "`tq keys revoke` lets it submit nothing"
                )
        return quota


NO_QUOTA: Final = KeyQuota()
