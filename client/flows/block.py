"""The block in which a flow is filled: opened at the master, joined by submits, sealed or cancelled at its end."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Token
from typing import TYPE_CHECKING, Any, Final, Self

from ...common.domain.flow import FAIL_FAST, ON_ERROR, member_key
from ...common.domain.ids import ComputedId, key_id, new_ids, parse_id, show_id
from ...common.domain.model import check_name
from ...common.domain.shards import id_in
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..core.blocking import warn_on_loop
from ..tasks.open_flow import OPEN_FLOW, OpenFlow

if TYPE_CHECKING:
    from ..core.session import ClientSession

FLOWS: Final = ("get_flows",)


class FlowBlock:
    """What a flow is as a context, and for the submits in it: see ``OpenFlow``."""

    def __init__(
        self,
        session: ClientSession,
        id: bytes | None,
        name: str = "",
        on_error: str = FAIL_FAST,
        key: str | None = None,
        queue: str = "default",
    ) -> None:
        if on_error not in ON_ERROR:
            raise InvalidArgument(f"on_error is one of {', '.join(ON_ERROR)}, not {brief(on_error, 40)}")
        if key is not None and (not isinstance(key, str) or not key):
            raise InvalidArgument(f"key must be a non-empty str, not {brief(key, 80)}")
        if not isinstance(name, str):
            raise InvalidArgument(f"a flow's name is text, not {brief(name, 80)}")
        self.session, self.name = session, name
        self._id, self._on_error, self._key, self._queue = id, on_error, key, check_name("queue", queue)
        self._next_place = 0
        self._opens = id is None  # and seals it; of one that was found, a block only submits into it
        self._joined: Token[OpenFlow | None] | None = None

    def __repr__(self) -> str:
        which = "not opened" if self._id is None else self.id
        return f"<tq.Flow {self.name + ' ' if self.name else ''}{which}>"

    @property
    def id(self) -> str:
        """The id of the flow as text."""
        return show_id(self.flow_id)

    # what submits ask: see ``OpenFlow``

    @property
    def flow_id(self) -> bytes:
        """The id of the flow, which is opened if it was not yet."""
        if self._id is None:
            self._id = self._opened(self.session.ask(FLOWS, "open", *self._new()))
        return self._id

    @property
    def has_key(self) -> bool:
        """Whether the flow has a key, so that its tasks have ids that are computed."""
        return self._key is not None

    def next_id(self, queue: str, task: str, shard: int = 0) -> ComputedId:
        """Compute the id of the next task that is submitted into a flow with a key.

        Args:
            queue: Queue of the task.
            task: Name of the task.
            shard: The shard of the queue.

        Returns:
            The id, with its proof.
        """
        place, self._next_place = self._next_place, self._next_place + 1
        return key_id(queue, task, member_key(self.id, place), shard)

    def _new(self) -> tuple[Any, ...]:
        key = None if self._key is None else self._key.encode("utf-8", "surrogatepass")
        id = id_in(new_ids(), self.session.shard_of(self._queue))
        return id, self.name, self._on_error, key

    def _opened(self, shown: dict[str, Any]) -> bytes:
        self.name, self._on_error = shown["name"], shown["on_error"]
        return parse_id(shown["id"])

    # filled

    def __enter__(self) -> Self:
        warn_on_loop("async with app.flow(…)")
        self.flow_id  # noqa: B018  opened here, so that what is wrong is raised here
        self._next_place = 0
        self._joined = OPEN_FLOW.set(self)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        for method, *args in self._left(error):
            self.session.ask(FLOWS, method, *args)

    def _left(self, error: BaseException | None) -> Sequence[tuple[Any, ...]]:
        """The calls with which a block ends."""
        if self._joined is not None:
            OPEN_FLOW.reset(self._joined)
            self._joined = None
        if not self._opens:
            return []
        if error is None:
            return [("seal", self.flow_id)]
        return [("cancel", self.flow_id, f"its block ended with {type(error).__name__}: {error}"[:500])]
