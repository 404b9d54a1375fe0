"""The relay's side of the master: calls that are made once, on the connection that there is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from ....common.errors import ConfigError, UnknownObject
from ...app import App

OUTBOX: Final = ("get_outbox",)


class MasterHands:
    def __init__(self, app: App) -> None:
        self._session = app.session

    def reach(self) -> None:
        """Raises Unreachable or Rejected; and ConfigError for a master that has no such object."""
        try:
            self._session.ask(OUTBOX, "forget", [])
        except UnknownObject as error:
            raise ConfigError(
                f"the master at {self._session.settings.shown_url} is older than this relay and takes no rows of an outbox; upgrade tq-master"
            ) from error

    @property
    def is_away(self) -> bool:
        return bool(self._session.away_seconds)

    def hand_over(self, id: bytes, row: list[Any]) -> Future[Any]:
        return self._session.start_call(OUTBOX, "hand_over", id, row)

    def forget(self, ids: Sequence[bytes]) -> None:
        self._session.ask(OUTBOX, "forget", list(ids))

    def drop(self) -> None:
        # The link and all that it would still send go; the next call makes another.
        self._session.close("the relay has given up waiting for the answer")
