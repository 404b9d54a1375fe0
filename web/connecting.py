"""The session of a log-in: every call has a short time limit, because a person waits for it.

A page is served by few threads: a call that waited for a master that is away would take one of them until it is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from ..client.app import App
from ..client.core.session import ClientSession
from ..client.core.settings import Settings
from ..common.contract.observe import MASTER
from ..common.domain.model import Role
from ..common.errors import Rejected, Unreachable

ANSWER_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 5.0  # longer than a master delays its answer to an address that has sent wrong keys
GONE_SECONDS: Final = 2.0  # without a connection; then a view says so at once


class PageSession(ClientSession):
    """A session that raises Unreachable instead of waiting."""

    def call(self, target: Sequence[Any], method: str, *args: Any, timeout: float | None = None) -> Any:
        return self._answer(self.start_call(target, method, *args), timeout or ANSWER_SECONDS)

    def answer_of(self, future: Future[Any]) -> Any:
        return self._answer(future, ANSWER_SECONDS)

    @property
    def missing(self) -> str:
        """Which shards the last list is without, in words; empty: none."""
        return "" if self._link is None else self._link.missing

    def _answer(self, future: Future[Any], seconds: float) -> Any:
        try:
            # Of several shards one that is away holds up only what needs it; lists are answered without it.
            several = self._link is not None and (self._link.shards or 1) > 1
            return future.result(seconds if several else answer_seconds(self, seconds))
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise Unreachable(f"the master at {self.url} does not answer") from None


def missing_of(app: App) -> str:
    return app.session.missing if isinstance(app.session, PageSession) else ""


def answer_seconds(session: ClientSession, seconds: float) -> float:
    """How long an answer is waited for: not at all once the master is known to be away."""
    return 0.01 if session.known_cluster is not None and session.away_seconds > GONE_SECONDS else seconds


def open_session(url: str, authkey: str) -> tuple[App, dict[str, Any]]:
    """An App with all that a key may do, and what the master says of itself. Raises Rejected, Unreachable, InvalidArgument.

    What a key may do is asked first, as a viewer, which any key of a person may be: a role that is tried in vain would count as
    a wrong key.
    """
    looking = _app(url, authkey, Role.VIEWER)
    info: dict[str, Any] = _info(looking)
    role = Role(info["you"]["role"])
    if role == Role.VIEWER:
        return looking, info
    looking.close()
    app = _app(url, authkey, role)
    return app, _info(app)


def _app(url: str, authkey: str, role: Role) -> App:
    return App._using(PageSession(Settings.of(url, authkey, role, CONNECT_SECONDS)))


def _info(app: App) -> dict[str, Any]:
    try:
        found: dict[str, Any] = app.session.call((MASTER.name,), "info", timeout=2 * CONNECT_SECONDS)
        return found
    except BaseException:
        app.close()
        raise


def is_final(error: BaseException) -> bool:
    """Whether asking again cannot help: the key is no longer accepted."""
    return isinstance(error, Rejected)
